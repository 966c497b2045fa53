// The spawn page: wires the form that the hub rendered to the hub's API.
import { Api, ApiError } from "../lib/api.ts";
import { all, need, say } from "../lib/dom.ts";
import { Datasets } from "./datasets.ts";
import { Environments } from "./environment.ts";
import { showAvailability } from "./hardware.ts";
import { ImageCards } from "./imagecard.ts";
import { Inputs } from "./inputs.ts";
import { Planning } from "./planning.ts";
import { isForAnother, unplaced } from "./planwords.ts";
import type { Availability } from "./types.ts";

const AVAILABILITY_MS = 60_000;

function start(root: HTMLElement): void {
  // All is looked up with the rights of the user whose session it will be.
  const user = root.dataset["user"] ?? "";
  const another = isForAnother(user, window.jhdata?.user);
  const api = new Api(root.dataset["hub"] ?? "/hub/", window.jhdata?.xsrf_token ?? "", another ? { user } : {});
  if (another) say(need("#nf-for", root), `Datasets, rights and places are those of ${user}.`);
  root.classList.add("nf-live");
  for (const part of all(".nf-script", root)) part.hidden = false;
  giveHardwareItsStep(root);

  const inputs = new Inputs(root);
  const environments = new Environments(root);
  // Somebody who chose an environment keeps it, whatever data come later.
  let decided = root.dataset["linked"] === "yes";

  // Until somebody chooses a hardware or a size, the hub takes the one nearest to the data.
  // (A browser that fills in again what was chosen before a reload tells nobody.)
  const radios = all<HTMLInputElement>('[data-hardware] > input[type="radio"]', root);
  let sized = root.dataset["sized"] === "yes" || radios.some((radio) => radio.checked !== radio.defaultChecked);

  const replan = (): void => {
    const options = inputs.options(datasets.pids);
    planning.ask({ options: sized ? options : unplaced(options), wrong: inputs.values().wrong });
  };
  const choose = (profile: string, hardware: string): void => {
    sized = true;
    inputs.choose(profile, hardware);
    replan();
  };
  const placed = (profile: string, hardware: string): void => {
    if (!sized && profile === inputs.profile) inputs.choose(profile, hardware);
  };
  const datasets = new Datasets(api, () => {
    const better = environments.arrange(datasets.all);
    if (better && !decided) inputs.choose(better, "");
    showFree();
    replan();
  });
  const planning = new Planning(api, root, {
    choose,
    placed,
    refused: (reasons) => datasets.showReasons(reasons),
    fit: (profile) => environments.fitOf(profile, datasets.all),
    titles: () => datasets.all.map(({ pid, title }) => [pid, title]),
  });

  root.addEventListener("change", (event) => {
    const target = event.target as HTMLInputElement;
    if (target.name === "profile") decided = true;
    if (target.type === "radio") inputs.refresh();
    if (target.name) replan();
  });
  // `input` comes before `change`: no plan takes the hardware away from who types in its fields.
  root.addEventListener("input", (event) => {
    if ((event.target as HTMLElement).closest("[data-hardware]")) sized = true;
  });
  // Clicking anywhere on a card chooses it; its inputs are left alone.
  for (const card of all(".nf-card", root))
    card.addEventListener("click", (event) => {
      if ((event.target as HTMLElement).closest("input, select, label, button, a, details")) return;
      need<HTMLInputElement>('input[type="radio"]', card).click();
    });

  takeOver(root);
  void datasets.preset(plainPids()).then(() => {
    const better = environments.arrange(datasets.all);
    // What a link or an earlier choice names stays.
    if (better && !decided && root.dataset["named"] !== "yes") inputs.choose(better, inputs.hardware);
    showFree();
    replan();
  });

  // What images say of themselves may be what fits the data.
  const cards = new ImageCards(api, root, (profiles) => {
    if (!environments.learn(profiles) || !datasets.pids.length) return;
    const better = environments.arrange(datasets.all);
    if (!better || decided || root.dataset["named"] === "yes") return;
    inputs.choose(better, inputs.hardware);
    replan();
  });
  void cards.show();

  const form = root.closest("form");
  form?.querySelector('[type="submit"]')?.setAttribute("aria-describedby", "nf-plan");
  document.addEventListener(
    "submit",
    (event) => {
      if (event.target !== form || !planning.blocked) return;
      // Before JupyterHub's own listener, which would show that it is starting.
      event.preventDefault();
      event.stopImmediatePropagation();
      planning.focusFirst();
    },
    true,
  );

  let free: Availability | null = null;
  let notFree = "";
  const showFree = (): void => showAvailability(root, free, notFree, datasets.pids.length > 0);
  const look = async (): Promise<void> => {
    if (document.visibilityState === "hidden") return;
    try {
      free = await api.get<Availability>("nearfield/availability");
      notFree = "";
    } catch (error) {
      const known = error instanceof ApiError && error.status === 404;
      free = null;
      notFree = known ? "" : "What is free cannot be told now.";
    }
    showFree();
  };
  void look();
  setInterval(() => void look(), AVAILABILITY_MS);
}

function plainPids(): string[] {
  return need<HTMLTextAreaElement>("#datasets").value.split(/\s+/).filter(Boolean);
}

/** Without the script each profile holds its hardware; here that is a step of its own. */
function giveHardwareItsStep(root: HTMLElement): void {
  const end = need("#nf-hardware > .nf-problem", root);
  for (const group of all(".nf-of-profile", root)) end.before(group);
}

/** The search takes the place of the plain field, where there is a catalogue to search. */
function takeOver(root: HTMLElement): void {
  const plain = need<HTMLTextAreaElement>("#datasets");
  plain.disabled = true;
  need("#nf-plain").hidden = true;
  if (root.dataset["searchable"] === "yes") return;
  const query = need<HTMLInputElement>("#nf-query");
  query.placeholder = "This hub has no catalogue: datasets cannot be chosen here";
  query.disabled = true;
}

const root = document.querySelector<HTMLElement>("#nearfield");
if (root) start(root);
