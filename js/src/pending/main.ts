// The page while a session starts: its steps with their times, and a way out.
import { Api, ApiError } from "../lib/api.ts";
import { h, need, say } from "../lib/dom.ts";
import { canCome, elapsed, Steps, type Progress, type Step } from "./steps.ts";

const AGAIN_MS = 5_000;

function clock(at: number): string {
  return new Date(at * 1000).toLocaleTimeString("en-GB");
}

class Pending {
  private readonly root: HTMLElement;
  private readonly steps = new Steps();
  private readonly list: HTMLElement;
  private readonly bar: HTMLElement;
  private readonly spoken: HTMLElement;
  private readonly trouble: HTMLElement;
  private readonly log: HTMLElement;
  private readonly cancelButton: HTMLButtonElement;
  private readonly source: EventSource;
  private first: number | null = null;
  private cancelling = false;

  constructor(root: HTMLElement) {
    this.root = root;
    this.list = need("#nf-steps", root);
    this.bar = need("#nf-bar", root);
    this.spoken = need("#nf-spoken", root);
    this.trouble = need("#nf-trouble", root);
    this.log = need("#nf-messages", root);
    this.cancelButton = need<HTMLButtonElement>("#nf-cancel", root);
    for (const part of root.querySelectorAll<HTMLElement>(".nf-script")) part.hidden = false;
    this.list.replaceChildren();
    this.cancelButton.addEventListener("click", () => void this.cancel());
    this.source = new EventSource(root.dataset["progress"] ?? "");
    this.source.addEventListener("message", (event) => this.heard(JSON.parse(String(event.data)) as Progress));
    this.source.addEventListener("error", () => this.lost());
    setInterval(() => this.tick(), 1000);
  }

  private heard(event: Progress): void {
    say(this.trouble, "");
    this.steps.add(event);
    if (event.progress !== undefined) this.advance(event.progress);
    if (event.message && !event.ready) this.note(event);
    this.show();
    if (this.steps.over) this.over();
    else say(this.spoken, event.message ?? "");
  }

  private over(): void {
    this.source.close();
    if (this.cancelling) return; // the answer to the cancelling says where to go
    if (this.steps.over === "ready") {
      say(this.spoken, "Your session is ready.");
      window.location.reload(); // the hub leads on to the session, or to where it was asked for
    } else this.failed();
  }

  private lost(): void {
    if (this.cancelling || this.steps.over) return;
    // After a lost connection the browser asks again by itself, and the hub tells everything from
    // the start; after an answer that is no stream it never does.
    if (canCome(this.source)) say(this.trouble, "The hub does not answer; trying again.");
    else {
      say(this.trouble, "The hub does not tell how far it is; this page loads itself again in a moment.");
      setTimeout(() => this.cancelling || window.location.reload(), AGAIN_MS);
    }
  }

  private note(event: Progress): void {
    const at = event.at ?? Date.now() / 1000;
    const line = `${clock(at)}  ${event.message ?? ""}`;
    const last = this.log.lastElementChild;
    if (last?.textContent !== line) this.log.append(h("div", {}, line));
  }

  private advance(percent: number): void {
    this.bar.style.width = `${percent}%`;
    this.bar.parentElement?.setAttribute("aria-valuenow", String(percent));
  }

  private show(): void {
    const steps = this.steps.list();
    this.first ??= steps.find((step) => step.at !== null)?.at ?? null;
    this.list.replaceChildren(...steps.map((step) => row(step)));
    this.tick();
  }

  private tick(): void {
    if (this.first === null || this.steps.over) return;
    say(need("#nf-since", this.root), `Under way for ${elapsed(Date.now() / 1000 - this.first)}.`);
  }

  private failed(): void {
    const [first = "", ...rest] = this.steps.failure.split("\n");
    this.bar.classList.add("bg-danger");
    say(need("#nf-heading"), "Your session did not start");
    say(need("#nf-since", this.root), "");
    say(this.spoken, "");
    const place = need("#nf-failure", this.root);
    place.hidden = false;
    place.replaceChildren(
      h("p", {}, h("strong", {}, first || "No reason was given.")),
      ...(rest.length ? [h("pre", { class: "nf-log" }, rest.join("\n"))] : []),
      h("a", { class: "btn btn-jupyter", href: this.root.dataset["again"] ?? "" }, "Choose again"),
    );
    this.cancelButton.hidden = true;
    place.querySelector<HTMLElement>("a")?.focus();
  }

  private async cancel(): Promise<void> {
    this.cancelButton.disabled = true;
    this.cancelling = true;
    say(this.trouble, "");
    say(this.spoken, "Cancelling");
    const api = new Api(this.root.dataset["hub"] ?? "/hub/", window.jhdata?.xsrf_token ?? "");
    try {
      await api.call("DELETE", this.root.dataset["server"] ?? "");
      this.source.close();
      window.location.assign(this.root.dataset["again"] ?? "");
    } catch (error) {
      this.cancelling = false;
      this.cancelButton.disabled = false;
      if (this.steps.over) return this.over();
      if (!canCome(this.source)) return this.lost();
      const why = error instanceof ApiError ? error.message : String(error);
      say(this.spoken, "");
      say(this.trouble, `It could not be cancelled: ${why.replace(/\.$/, "")}.`);
    }
  }
}

function row(step: Step): HTMLLIElement {
  const words = { done: "done", now: "under way", todo: "to come", failed: "failed" }[step.state];
  return h(
    "li",
    { class: `nf-stepline nf-${step.state}`, "aria-current": step.state === "now" ? "step" : undefined },
    h("span", { class: "nf-mark", "aria-hidden": "true" }),
    h(
      "span",
      { class: "nf-text" },
      h("span", { class: "nf-title" }, step.title, h("span", { class: "visually-hidden" }, `: ${words}`)),
      step.message && step.state !== "todo" ? h("span", { class: "nf-about" }, step.message) : null,
    ),
    step.at === null ? null : h("time", { class: "nf-time", datetime: new Date(step.at * 1000).toISOString() }, clock(step.at)),
  );
}

const root = document.querySelector<HTMLElement>("#nearfield-pending");
if (root) new Pending(root);
window._jupyterhub_page_loaded = true;
