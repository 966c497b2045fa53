import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { sayList } from "../src/lib/dom.ts";
import { Environments } from "../src/spawn/environment.ts";
import type { Dataset } from "../src/spawn/types.ts";

/** As much of the document as moves: an element that is put elsewhere loses the focus, as in a browser. */
class Element {
  static focused: Element | null = null;
  children: Element[] = [];
  parent: Element | null = null;
  readonly dataset: Record<string, string> = {};
  readonly classList = { toggle: (): void => {} };
  readonly found = new Map<string, Element>();
  checked = false;
  textContent = "";

  contains(other: Element | null): boolean {
    for (let at = other; at; at = at.parent) if (at === this) return true;
    return false;
  }
  append(...items: Element[]): void {
    this.put(items, () => this.children.length);
  }
  before(...items: Element[]): void {
    this.parent?.put(items, (siblings) => siblings.indexOf(this));
  }
  after(...items: Element[]): void {
    this.parent?.put(items, (siblings) => siblings.indexOf(this) + 1);
  }
  replaceChildren(...items: Element[]): void {
    for (const child of [...this.children]) child.remove();
    this.append(...items);
  }
  remove(): void {
    if (this.contains(Element.focused)) Element.focused = null;
    if (this.parent) this.parent.children = this.parent.children.filter((one) => one !== this);
    this.parent = null;
  }
  setAttribute(): void {}
  querySelector(selector: string): Element | null {
    return this.found.get(selector) ?? null;
  }
  querySelectorAll(selector: string): Element[] {
    return selector === ".nf-card" ? this.children : [];
  }
  private put(items: Element[], place: (siblings: Element[]) => number): void {
    for (const item of items) item.remove();
    this.children.splice(place(this.children), 0, ...items);
    for (const item of items) item.parent = this;
  }
}

const text = (words: string): Element => Object.assign(new Element(), { textContent: words });

beforeEach(() => {
  Element.focused = null;
  Object.assign(globalThis, {
    document: {
      get activeElement() {
        return Element.focused;
      },
      createElement: () => Object.assign(new Element(), { append(this: Element, words: string) { this.textContent += words; } }),
    },
  });
});

/** Cards of the names, each with its techniques, as the template has them. */
function page(given: Record<string, string[]>): { environments: Environments; list: Element } {
  const root = new Element();
  const list = new Element();
  root.found.set("#nf-profiles", list).set("#nf-fit", new Element());
  for (const [name, techniques] of Object.entries(given)) {
    const card = new Element();
    const [input, label] = [new Element(), new Element()];
    card.append(input, label);
    card.found.set("input", input).set("label", label);
    Object.assign(card.dataset, { profile: name, techniques: JSON.stringify(techniques) });
    list.append(card);
  }
  return { environments: new Environments(root as unknown as HTMLElement), list };
}

const data = [{ techniques: ["saxs"] }] as Dataset[];
const names = (list: Element): (string | undefined)[] => list.children.map((card) => card.dataset["profile"]);

for (const held of [null, "other", "plain", "made", "also"])
  test(`cards that are put in order leave the focus where it is: ${held}`, () => {
    const { environments, list } = page({ other: ["nxmx"], plain: [], made: ["saxs"], also: ["saxs"] });
    const input = list.children.find((card) => card.dataset["profile"] === held)?.querySelector("input") ?? null;
    Element.focused = input;
    environments.arrange(data);
    assert.deepEqual(names(list), ["made", "also", "plain", "other"]);
    assert.equal(Element.focused, input);
  });

test("a list that says the same keeps its items, so that they are not heard again", () => {
  const list = new Element();
  list.append(text("one"), text("two"));
  const kept = [...list.children];
  sayList(list as unknown as HTMLElement, ["one", "two"]);
  assert.deepEqual(list.children.map((item, at) => item === kept[at]), [true, true]);
  for (const said of [["one"], ["one", "three"], []]) {
    sayList(list as unknown as HTMLElement, said);
    assert.deepEqual(list.children.map((item) => item.textContent), said);
  }
});
