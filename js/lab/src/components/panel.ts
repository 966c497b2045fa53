// The side panel: the shared view in a Lumino widget.
import { DataModel } from "../../../src/data/model.ts";
import type { DataSource } from "../../../src/data/source.ts";
import type { Trans } from "../../../src/data/trans.ts";
import type { Ref, Summary } from "../../../src/data/types.ts";
import type { Action } from "../../../src/data/views/card.ts";
import { DataView } from "../../../src/data/view.ts";
import type { Message } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";
import type { IDataPanel } from "../tokens.ts";

export class DataPanel extends Widget implements IDataPanel {
  readonly model: DataModel;
  readonly view: DataView;
  grab: IDataPanel["grab"] = null;
  private readonly actions: Action[] = [];
  private readonly bringUp: () => void;
  private begun = false;

  /** `show` brings the panel to the front. */
  constructor(source: DataSource, trans: Trans, login: () => void, show: () => void) {
    super();
    this.bringUp = show;
    this.id = "nearfield-data";
    this.addClass("nf-panel");
    this.node.setAttribute("role", "region");
    this.node.setAttribute("aria-label", trans.__("Data"));
    this.title.caption = trans.__("Data: find datasets and open them in a notebook");
    this.model = new DataModel(source);
    this.view = new DataView(this.model, {
      trans,
      actions: this.actions,
      help: { login },
      grab: (dataset, event) => this.grab?.(dataset, event),
    });
    this.node.append(this.view.node);
  }

  get source(): DataSource {
    return this.model.source;
  }

  get current(): Summary | undefined {
    return this.view.current;
  }

  addAction(action: Action): void {
    this.actions.push(action);
  }

  search(text: string): void {
    this.begun = true;
    this.bringUp();
    if (this.model.card) void this.model.open(null);
    this.view.search(text);
  }

  open(ref: Ref): void {
    this.bringUp();
    void this.model.open(ref);
  }

  /** What was there when JupyterLab was left; asked for once somebody looks. */
  restore(query: string, card: Ref | null): void {
    if (this.begun) return;
    this.model.query = query;
    if (card) void this.model.open(card);
  }

  override dispose(): void {
    if (!this.isDisposed) this.view.dispose();
    super.dispose();
  }

  /** The first search is made when the panel is first seen, not whenever JupyterLab starts. */
  begin(): void {
    if (this.begun || !this.isVisible) return;
    this.begun = true;
    void this.model.search(this.model.query);
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.begin();
  }

  protected override onActivateRequest(): void {
    this.begin();
    this.view.focus();
  }
}
