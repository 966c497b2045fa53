// Persistent identifiers that somebody pastes into the search field.

const PID = /^[\x21-\x7e]{8,400}$/;

/** The PIDs of a text that is nothing but PIDs; empty where it may as well be words to search. */
export function pidsIn(text: string): string[] {
  const parts = text.split(/[\s,;]+/).filter(Boolean);
  const all = parts.length > 0 && parts.every((p) => PID.test(p) && /\d/.test(p) && /[-/:.]/.test(p.slice(1, -1)));
  return all ? [...new Set(parts)] : [];
}
