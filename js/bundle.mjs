// Bundles the pages into the first folder, the notebook widgets into the second. A page's file
// bears its hash in its name, so that browsers may keep it for ever; manifest.json, written last,
// says which name is which. A widget's travels with the kernel and has one name.
import { build } from "esbuild";
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

const [, , out, widgets] = process.argv;
if (!out || !widgets) throw new Error("usage: bundle.mjs PAGES WIDGETS");
const here = import.meta.dirname;
const common = {
  absWorkingDir: here,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
};

await build({
  ...common,
  entryPoints: {
    picker: join(here, "src/picker/main.ts"),
    "picker-style": join(here, "src/picker/style.css"),
    progress: join(here, "src/progress/main.ts"),
    "progress-style": join(here, "src/progress/style.css"),
  },
  outdir: widgets,
});

const { metafile } = await build({
  entryPoints: {
    spawn: join(here, "src/spawn/main.ts"),
    pending: join(here, "src/pending/main.ts"),
    style: join(here, "src/style.css"),
  },
  ...common,
  outdir: out,
  entryNames: "[name]-[hash]",
  metafile: true,
});

const manifest = {};
for (const [path, { entryPoint }] of Object.entries(metafile.outputs)) {
  if (!entryPoint) continue;
  const name = basename(path);
  manifest[name.replace(/-[A-Z0-9]{8}(?=\.)/, "")] = name;
}
mkdirSync(out, { recursive: true });
const kept = new Set(Object.values(manifest));
for (const name of readdirSync(out)) if (!kept.has(name)) rmSync(join(out, name));
writeFileSync(join(out, "manifest.new"), JSON.stringify(manifest, null, 1));
renameSync(join(out, "manifest.new"), join(out, "manifest.json"));
