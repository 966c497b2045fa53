// DatasetPicker in a notebook: the panel's search, asked of the kernel; rows are chosen.
import { h } from "../lib/dom.ts";
import { DataModel } from "../data/model.ts";
import { english } from "../data/trans.ts";
import { DataView as View } from "../data/view.ts";
import { Chosen } from "./chosen.ts";
import type { Channel } from "./kernel.ts";
import { KernelSource } from "./kernel.ts";

/** The traits of the Python class that the front-end knows. */
interface Traits {
  query: string;
  selected: string[];
  multiple: boolean;
  limit: number;
}

interface Model extends Channel {
  get<K extends keyof Traits>(name: K): Traits[K];
  set<K extends keyof Traits>(name: K, value: Traits[K]): void;
  save_changes(): void;
  on(event: string, heard: (...told: never[]) => void): void;
  off(event: string, heard: (...told: never[]) => void): void;
}

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const source = new KernelSource(model);
  const data = new DataModel(source);
  data.use({ limit: model.get("limit") });
  const isChosen = (pid: string): boolean => model.get("selected").includes(pid);
  const toggle = (pid: string, title: string | null): void => {
    chosen.know(pid, title);
    const others = model.get("selected").filter((one) => one !== pid);
    const now = isChosen(pid) ? others : model.get("multiple") ? [...others, pid] : [pid];
    model.set("selected", now);
    model.save_changes();
  };
  const chosen = new Chosen(english, (pid) => toggle(pid, null));
  const view = new View(data, {
    choose: {
      chosen: (dataset) => isChosen(dataset.pid),
      toggle: (dataset) => toggle(dataset.pid, dataset.title),
      multiple: model.get("multiple"),
    },
    actions: [
      {
        label: english.__("Choose"),
        primary: true,
        run: (dataset) => toggle(dataset.pid, dataset.title),
        pressed: (dataset) => isChosen(dataset.pid),
      },
    ],
  });
  view.node.append(chosen.node);
  el.append(h("div", { class: "nf-picker", role: "group", "aria-label": english.__("Dataset picker") }, view.node));

  const selected = (): void => {
    chosen.show(model.get("selected"));
    view.mark();
  };
  const query = (): void => {
    if (model.get("query") !== data.query) void data.search(model.get("query"));
  };
  const unfollow = data.follow((change) => {
    for (const one of change === "more" ? data.found : []) chosen.know(one.pid, one.title);
    if (change === "more") chosen.show(model.get("selected"));
    if (change !== "query" || model.get("query") === data.query) return;
    model.set("query", data.query);
    model.save_changes();
  });
  model.on("change:selected", selected);
  model.on("change:query", query);
  selected();
  void data.search(model.get("query"));
  return () => {
    model.off("change:selected", selected);
    model.off("change:query", query);
    unfollow();
    view.dispose();
    source.dispose();
  };
}

export default { render };
