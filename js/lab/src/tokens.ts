// What other plugins and extensions may use of the panel.
import type { Action } from "../../src/data/views/card.ts";
import type { Ref, Summary } from "../../src/data/types.ts";
import type { DataSource } from "../../src/data/source.ts";
import { Token } from "@lumino/coreutils";

/** The panel *Data*. */
export interface IDataPanel {
  readonly source: DataSource;
  /** The dataset of the open card, else of the current row. */
  readonly current: Summary | undefined;
  /** Shows the panel with the results of a search. */
  search(text: string): void;
  /** Shows the panel with a dataset's card. */
  open(ref: Ref): void;
  /** Adds a button to every card. */
  addAction(action: Action): void;
  /** Called when a pointer goes down on a row; a drag may begin. */
  grab: ((dataset: Summary, event: PointerEvent) => void) | null;
}

export const IDataPanel = new Token<IDataPanel>("@nearfield/lab:IDataPanel", "Nearfield's panel of datasets: searches, cards, actions on cards.");

export const COMMANDS = {
  open: "nearfield-data:open",
  insert: "nearfield-data:insert",
  copyPid: "nearfield-data:copy-pid",
  landingPage: "nearfield-data:landing-page",
  card: "nearfield-data:card",
  results: "nearfield-data:results",
  refresh: "nearfield-data:refresh",
  more: "nearfield-data:load-more",
  filters: "nearfield-data:filters",
  clear: "nearfield-data:clear",
} as const;
