// Which environments are made for the techniques of the chosen datasets.

export type Fit = "made" | "any" | "part" | "other";

export const FIT_WORDS: Record<Fit, string> = {
  made: "fits your data",
  any: "",
  part: "fits some of your data",
  other: "made for other data",
};

const same = (text: string): string => text.trim().toLowerCase();

/**
 * `made`: the environment names a technique of every dataset that has one; `any`: it names none,
 * so it is for all; `part`: it is made for some of the datasets; `other`: for something else.
 */
export function fitOf(environment: readonly string[], datasets: readonly (readonly string[])[]): Fit {
  if (environment.length === 0) return "any";
  const known = new Set(environment.map(same));
  const asked = datasets.filter((techniques) => techniques.length > 0);
  if (asked.length === 0) return "any";
  const fitting = asked.filter((techniques) => techniques.some((t) => known.has(same(t)))).length;
  return fitting === asked.length ? "made" : fitting > 0 ? "part" : "other";
}

const RANK: Record<Fit, number> = { made: 0, any: 1, part: 2, other: 3 };

export function isBetter(one: Fit, other: Fit): boolean {
  return RANK[one] < RANK[other];
}

/** Those that fit first; among equals the order of the configuration stays. */
export function byFit<T>(items: readonly T[], fit: (item: T) => Fit): T[] {
  return items
    .map((item, index) => ({ item, index, rank: RANK[fit(item)] }))
    .sort((a, b) => a.rank - b.rank || a.index - b.index)
    .map(({ item }) => item);
}

/** `diffraction, tomography`, each once, as the datasets spell them. */
export function techniquesOf(datasets: readonly (readonly string[])[]): string[] {
  const seen = new Map<string, string>();
  for (const technique of datasets.flat()) if (!seen.has(same(technique))) seen.set(same(technique), technique);
  return [...seen.values()];
}
