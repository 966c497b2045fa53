// The page while a session starts: its steps with their times, and a way out.
import { Api, ApiError } from "../lib/api.ts";
import { h, need, say } from "../lib/dom.ts";
import { elapsed, Steps, type Progress, type Step } from "./steps.ts";

function clock(at: number): string {
  return new Date(at * 1000).toLocaleTimeString("en-GB");
}

class Pending {
  private readonly root: HTMLElement;
  private readonly steps = new Steps();
  private readonly list: HTMLElement;
  private readonly bar: HTMLElement;
  private readonly spoken: HTMLElement;
  private readonly log: HTMLElement;
  private readonly cancelButton: HTMLButtonElement;
  private readonly source: EventSource;
  private first: number | null = null;

  constructor(root: HTMLElement) {
    this.root = root;
    this.list = need("#nf-steps", root);
    this.bar = need("#nf-bar", root);
    this.spoken = need("#nf-spoken", root);
    this.log = need("#nf-messages", root);
    this.cancelButton = need<HTMLButtonElement>("#nf-cancel", root);
    for (const part of root.querySelectorAll<HTMLElement>(".nf-script")) part.hidden = false;
    this.list.replaceChildren();
    this.cancelButton.addEventListener("click", () => void this.cancel());
    this.source = new EventSource(root.dataset["progress"] ?? "");
    this.source.addEventListener("message", (event) => this.heard(JSON.parse(String(event.data)) as Progress));
    // The browser asks again by itself; the hub then tells everything from the start.
    this.source.addEventListener("error", () => say(this.spoken, "The hub does not answer; trying again."));
    setInterval(() => this.tick(), 1000);
  }

  private heard(event: Progress): void {
    this.steps.add(event);
    if (event.progress !== undefined) this.advance(event.progress);
    if (event.message && !event.ready) this.note(event);
    this.show();
    if (this.steps.over === "ready") {
      this.source.close();
      say(this.spoken, "Your session is ready.");
      window.location.reload(); // the hub leads on to the session, or to where it was asked for
    } else if (this.steps.over === "failed") {
      this.source.close();
      this.failed();
    } else say(this.spoken, event.message ?? "");
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
    say(this.spoken, "Cancelling");
    const api = new Api(this.root.dataset["hub"] ?? "/hub/", window.jhdata?.xsrf_token ?? "");
    try {
      this.source.close();
      await api.call("DELETE", this.root.dataset["server"] ?? "");
      window.location.assign(this.root.dataset["again"] ?? "");
    } catch (error) {
      this.cancelButton.disabled = false;
      say(this.spoken, `It could not be cancelled: ${error instanceof ApiError ? error.message : String(error)}.`);
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
