// Code that opens a dataset where the server has told none.

/** A Python string literal: a JSON string is one, once what JSON alone allows is escaped. */
export function pythonText(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

export function basicSnippet(pid: string): string {
  return `import nearfield\n\nds = nearfield.dataset(${pythonText(pid)})\nds`;
}
