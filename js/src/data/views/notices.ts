// How it goes: the count for everybody, and each thing that is wrong with what to do about it.
import { h, say } from "../../lib/dom.ts";
import { sourceWords, totalWords } from "../facts.ts";
import type { DataModel } from "../model.ts";
import type { DataError } from "../source.ts";
import type { Trans } from "../trans.ts";

export interface Help {
  /** Where one logs in again; without it nothing is offered. */
  login?: () => void;
}

/** Words for a failure, with what can be done; `again` repeats what failed. */
export function failureNode(failure: DataError, trans: Trans, again: () => void, help: Help): HTMLElement {
  const words = trouble(failure, trans);
  const login = failure.reason === "token-expired" ? help.login : undefined;
  return h(
    "div",
    { class: "nf-trouble", "data-reason": failure.reason ?? "failed" },
    h("h3", {}, words.title),
    ...words.text.filter(Boolean).map((text) => h("p", {}, text)),
    h(
      "div",
      { class: "nf-buttons" },
      login ? h("button", { type: "button", class: "jp-mod-styled jp-mod-accept", onclick: login }, trans.__("Log in again")) : null,
      h("button", { type: "button", class: "jp-mod-styled", onclick: again }, trans.__("Try again")),
    ),
  );
}

function trouble(failure: DataError, trans: Trans): { title: string; text: string[] } {
  const said = [failure.message, failure.hint];
  if (failure.reason === "missing")
    return {
      title: trans.__("Nearfield's server extension is missing"),
      text: [
        trans.__("This panel asks the Jupyter server for datasets, and this server does not know how to answer."),
        trans.__("Install Nearfield with its extra “server” where the Jupyter server runs, then restart that. In a session of a hub: choose an environment that has it, or tell its administrators."),
      ],
    };
  if (failure.reason === "token-expired") return { title: trans.__("Your log-in has expired"), text: said };
  if (failure.reason === "no-kernel") return { title: trans.__("The notebook's kernel does not answer"), text: said };
  if (failure.reason === "unreachable") return { title: trans.__("The server does not answer"), text: said };
  if (failure.reason === "not-found") return { title: trans.__("There is no such dataset for you"), text: said };
  if (failure.reason === "forbidden") return { title: trans.__("You may not see this"), text: said };
  return { title: trans.__("This did not work"), text: said };
}

export class Notices {
  readonly node: HTMLElement;
  private readonly status: HTMLElement;
  private readonly list: HTMLElement;
  private readonly block: HTMLElement;
  private readonly model: DataModel;
  private readonly trans: Trans;
  private readonly help: Help;

  constructor(model: DataModel, trans: Trans, help: Help) {
    this.model = model;
    this.trans = trans;
    this.help = help;
    this.status = h("div", { class: "nf-status", role: "status", "aria-live": "polite" });
    this.list = h("ul", { class: "nf-sources", "aria-label": trans.__("Catalogues that did not answer"), "aria-live": "polite" });
    this.block = h("div", { class: "nf-state", "aria-live": "polite" });
    this.node = h("div", { class: "nf-notices" }, this.status, this.list, this.block);
  }

  update(): void {
    // How far it is can be seen; heard is how it ended, or a screen reader would never be quiet.
    this.status.setAttribute("aria-live", this.model.busy ? "off" : "polite");
    say(this.status, this.words());
    this.status.classList.toggle("nf-busy", this.model.busy);
    this.troubles();
    this.state();
  }

  private words(): string {
    const { model, trans } = this;
    if (model.failure) return "";
    const asking = [...model.sources.values()].filter((state) => state.state === "asking").map((state) => state.source);
    if (model.busy && model.total === null) {
      const so = model.found.length;
      const who = asking.length ? trans.__("asking %1", asking.join(", ")) : "";
      if (so && model.sources.size) return [trans.__("%1 so far", String(so)), who].filter(Boolean).join(" · ");
      return who ? `${trans.__("Searching")}: ${who}…` : trans.__("Searching…");
    }
    if (model.total === null || model.total === 0) return "";
    const total = totalWords(model.total, model.totalExact, trans);
    const shown = model.found.length;
    return shown < model.total || !model.totalExact ? trans.__("%1, %2 shown", total, shown.toLocaleString("en")) : total;
  }

  private troubles(): void {
    const { trans } = this;
    const items = [...this.model.sources.values()].flatMap((state) => {
      const words = sourceWords(state, trans);
      if (!words) return [];
      const login = state.reason === "token-expired" ? this.help.login : undefined;
      return [{ key: JSON.stringify([words, state.hint]), words, hint: state.hint ?? "", login, source: state.source }];
    });
    const key = items.map((item) => item.key).join();
    if (this.list.dataset["key"] === key) return; // what is there already is not heard again
    this.list.dataset["key"] = key;
    this.list.hidden = items.length === 0;
    this.list.replaceChildren(
      ...items.map(({ words, hint, login, source }) =>
        h(
          "li",
          { class: "nf-source-trouble", "data-source": source },
          h("span", { class: "nf-source-words" }, words),
          hint ? h("span", { class: "nf-source-hint" }, hint) : null,
          h(
            "span",
            { class: "nf-buttons" },
            login ? h("button", { type: "button", class: "nf-link", onclick: login }, trans.__("Log in again")) : null,
            h(
              "button",
              { type: "button", class: "nf-link", "aria-label": trans.__("Ask %1 again", source), onclick: () => void this.model.again() },
              trans.__("Try again"),
            ),
          ),
        ),
      ),
    );
  }

  private state(): void {
    const { model, trans } = this;
    const failure = model.failure && model.failure.reason !== "syntax" ? model.failure : null;
    const none = !model.busy && model.asked && !model.failure && model.found.length === 0;
    const key = failure ? `${failure.reason}/${failure.message}` : none ? `none/${model.query}` : "";
    if (this.block.dataset["key"] === key) return;
    this.block.dataset["key"] = key;
    if (failure) this.block.replaceChildren(failureNode(failure, trans, () => void model.again(), this.help));
    else if (none) this.block.replaceChildren(this.nothing());
    else this.block.replaceChildren();
  }

  /** Who did not answer may have what is looked for. */
  private silent(): HTMLElement | null {
    const { model, trans } = this;
    const states = [...model.sources.values()].map((one) => one.state);
    const without = states.filter((state) => state === "timeout" || state === "failed").length;
    if (!without) return null;
    return h(
      "div",
      { class: "nf-trouble", "data-reason": "silent" },
      h("h3", {}, states.includes("answered") ? trans.__("Nothing found so far") : trans.__("No catalogue answered")),
      h("p", {}, trans.__("The catalogues named above did not answer: what you look for may be in them.")),
      h("div", { class: "nf-buttons" }, h("button", { type: "button", class: "jp-mod-styled", onclick: () => void model.again() }, trans.__("Try again"))),
    );
  }

  /** Values like those that were asked for; one click searches for one instead. */
  private near(): HTMLElement[] {
    const { model, trans } = this;
    return model.near.map(({ field, value, near }) =>
      h(
        "p",
        { class: "nf-near" },
        trans.__("No %1 “%2” here. Did you mean", field, value),
        ...near.flatMap((one) => [" ", h("button", { type: "button", class: "nf-link", onclick: () => void model.search(one.query) }, one.value)]),
      ),
    );
  }

  private nothing(): HTMLElement {
    const { model, trans } = this;
    const silent = this.silent();
    if (silent) {
      silent.append(...this.near());
      return silent;
    }
    const query = model.query.trim();
    if (!query)
      return h(
        "div",
        { class: "nf-trouble", "data-reason": "empty" },
        h("h3", {}, trans.__("No datasets yet")),
        h("p", {}, trans.__("The catalogue holds none that you may see. “nearfield catalogue scan DIR” registers those of a folder.")),
      );
    return h(
      "div",
      { class: "nf-trouble", "data-reason": "none" },
      h("h3", {}, trans.__("No dataset fits")),
      ...this.near(),
      h("p", {}, trans.__("Every word and condition must hold. Try fewer, or the beginning of a word: “silv” finds silver.")),
      h(
        "div",
        { class: "nf-buttons" },
        h("button", { type: "button", class: "jp-mod-styled", onclick: () => void model.search("") }, trans.__("Show all datasets")),
      ),
    );
  }
}
