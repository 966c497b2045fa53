// The few things that the pages do with the document. Text is always set as text, never as HTML:
// titles and reasons come from other people.

type Child = Node | string | null | undefined | false;
type Props = Record<string, string | number | boolean | EventListener | undefined>;

/** An element with attributes, listeners (`onclick`, …) and children. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child) made.append(child);
  return made;
}

/** What the template must have; a page without it is a fault of ours. */
export function need<T extends HTMLElement = HTMLElement>(selector: string, within: ParentNode = document): T {
  const found = within.querySelector<T>(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
}

export function all<T extends HTMLElement = HTMLElement>(selector: string, within: ParentNode = document): T[] {
  return [...within.querySelectorAll<T>(selector)];
}

/** An item for each text. As with `say`, what is there already is not heard again. */
export function sayList(list: HTMLElement, texts: readonly string[]): void {
  const kept = [...list.children];
  if (kept.length === texts.length && kept.every((item, at) => item.textContent === texts[at])) return;
  list.replaceChildren(...texts.map((text) => h("li", {}, text)));
}

/** Sets text only where it differs, so that screen readers do not hear it again. */
export function say(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
