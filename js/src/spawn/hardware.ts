// What is free now, beside each hardware.
import { all, h, need } from "../lib/dom.ts";
import { plural } from "../lib/words.ts";
import type { Availability, Partition } from "./types.ts";

/** `14 of 24 cores idle`, with nodes, GPUs and the queue. */
export function freeWords(partition: Partition): string {
  const parts = [`${partition.cores_idle} of ${plural(partition.cores_total, "core")} idle`];
  if (partition.gpus_total) parts.push(`${partition.gpus_idle} of ${plural(partition.gpus_total, "GPU")} free`);
  parts.push(`${partition.nodes_idle} of ${plural(partition.nodes_total, "node")} empty`);
  if (partition.pending) parts.push(`${plural(partition.pending, "job")} waiting`);
  return parts.join(" · ");
}

type Cluster = Availability["clusters"][string];

/** Where such a job would be: without a partition of its own and with a choice, data decide, or the cluster's default. */
export function partitionFor(cluster: Cluster, named: string, withData: boolean): Partition | "by data" | null {
  const [only, ...others] = Object.values(cluster.partitions);
  if (!named && withData) return only && !others.length ? only : "by data";
  return cluster.partitions[named || (cluster.default_partition ?? "")] ?? null;
}

export function showAvailability(
  root: HTMLElement,
  found: Availability | null,
  problem: string,
  withData: boolean,
): void {
  for (const card of all(".nf-card[data-hardware]", root)) {
    const place = need(".nf-free", card);
    place.className = "nf-free";
    const name = card.dataset["cluster"] ?? "";
    const cluster = found?.clusters[name];
    const partition = cluster ? partitionFor(cluster, card.dataset["partition"] ?? "", withData) : null;
    if (!cluster) place.replaceChildren(problem);
    else if (!cluster.answers) {
      place.classList.add("nf-down");
      const why = cluster.message.replace(/[.\s]+$/, "");
      place.replaceChildren(`The cluster ${name} does not answer${why ? `: ${why}` : ""}.`);
    } else if (partition === "by data") place.replaceChildren("On the partition nearest to your data.");
    else if (partition) {
      const part = partition.cores_total ? partition.cores_idle / partition.cores_total : 0;
      const bar = h("span", { class: "nf-bar", "aria-hidden": "true" }, h("span", {}));
      (bar.firstChild as HTMLElement).style.width = `${Math.round(part * 100)}%`;
      place.replaceChildren(bar, h("span", {}, freeWords(partition)));
    } else place.replaceChildren();
  }
}
