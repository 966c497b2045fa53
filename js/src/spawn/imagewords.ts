// What the card of an environment's image says, in words. Pure, so that it can be tested.
import type { Card } from "./types.ts";

export interface Verdict {
  text: string;
  tone: "good" | "bad" | "quiet";
}

const VERDICTS: Record<string, [string, Verdict["tone"]]> = {
  verified: ["Signature verified", "good"],
  unsigned: ["Not signed", "bad"],
  tampered: ["Changed after it was signed", "bad"],
  "unknown-signer": ["Signed with an unknown key", "bad"],
  "not-allowed": ["Signed by a key that is not allowed", "bad"],
  "not-an-image": ["Not an image", "bad"],
  keyring: ["Signature cannot be checked: the site's keyring is not in order", "bad"],
  undecided: ["Signature could not be checked", "bad"],
  unseen: ["Looked at on the node", "quiet"],
  unchecked: ["No signature asked for", "quiet"],
  "": ["Looking at the image …", "quiet"],
};

/** What is known of the signature; a word of a later release is said as it is. */
export function verdictOf(card: Pick<Card, "verdict">): Verdict {
  const [text, tone] = VERDICTS[card.verdict] ?? [card.verdict, "quiet"];
  return { text, tone };
}

/** `2607 88AA 10CC …`: a fingerprint as people compare it. */
export function fingerprint(key: string): string {
  return /^[0-9a-f]{16,}$/i.test(key) ? key.toUpperCase().replace(/(.{4})(?=.)/g, "$1 ") : key;
}

/** One line of the card. ``code``: to be compared letter by letter. */
export interface Line {
  name: string;
  value: string;
  code?: boolean;
}

/** The lines of the card; what is not known is left out. */
export function linesOf(card: Card): Line[] {
  const lines: Line[] = [
    { name: "Python", value: card.python },
    { name: "Kernels", value: card.kernels.join(", ") },
    { name: "Opens", value: card.default_url, code: true },
    { name: "Nearfield", value: card.nearfield },
    { name: "Without", value: card.lacks.join(", ") },
    { name: "Signed by", value: card.signers.map(fingerprint).join(", "), code: true },
    { name: "Image", value: card.digest && `sha256:${card.digest.replace(/^sha256:/, "")}`, code: true },
  ];
  return lines.filter((line) => line.value !== "");
}
