// Words for people, in their language where JupyterLab has a translation.

/** As much of JupyterLab's TranslationBundle as is used; it fits as it is. */
export interface Trans {
  __(text: string, ...given: string[]): string;
  _n(one: string, many: string, count: number, ...given: string[]): string;
}

function filled(text: string, given: readonly unknown[]): string {
  return text.replace(/%(\d)/g, (mark, at: string) => String(given[Number(at) - 1] ?? mark));
}

/** English, for where nobody translates. */
export const english: Trans = {
  __: (text, ...given) => filled(text, given),
  _n: (one, many, count, ...given) => filled(count === 1 ? one : many, [count, ...given]),
};
