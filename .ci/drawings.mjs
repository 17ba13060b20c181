// Draws the mermaid blocks of docs/*.md that stand under an image of docs/book/drawings, each into that image, so that
// the book needs no script to show them. The text that was drawn stands in the image, and `.ci/links.py` compares.
//
//   npm install --prefix DIR mermaid@11.17.2 playwright-core && node .ci/drawings.mjs DIR/node_modules
//
// Needs Chromium at /usr/bin/chromium, or where $CHROMIUM says.
import { readFileSync, readdirSync, writeFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const modules = resolve(process.argv[2]);
const docs = join(dirname(fileURLToPath(import.meta.url)), "../docs");
const { chromium } = createRequire(join(modules, "x"))("playwright-core");
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage();
await page.addScriptTag({ path: join(modules, "mermaid/dist/mermaid.min.js") });

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
for (const name of readdirSync(docs).filter((name) => name.endsWith(".md"))) {
    const text = readFileSync(join(docs, name), "utf8");
    for (const [, file, source] of text.matchAll(/\(book\/drawings\/([a-z0-9-]+\.svg)\)(?:(?!```)[^])*```mermaid\n([^]*?)```/g)) {
        const svg = await page.evaluate(async (source) => {
            // labels of HTML are not drawn where an image is shown
            mermaid.initialize({
                theme: "neutral", htmlLabels: false, flowchart: { htmlLabels: false }, fontFamily: "sans-serif",
                deterministicIds: true, sequence: { mirrorActors: false },
            });
            return (await mermaid.render("drawing", source)).svg;
        }, source);
        const whole = svg
            .replace(/style="[^"]*"/, 'style="background-color: white"')
            .replace(/<svg ([^>]*)>/, (_, rest) => `<svg ${rest}><desc>${escaped(source)}</desc>`);
        const [, , width, height] = /viewBox="([-\d.]+) ([-\d.]+) ([\d.]+) ([\d.]+)"/.exec(whole).slice(1);
        mkdirSync(join(docs, "book/drawings"), { recursive: true });
        writeFileSync(join(docs, "book/drawings", file), whole.replace(/width="100%"/, `width="${width}" height="${height}"`) + "\n");
        console.log(`${name}: ${file}, ${Math.round(width)} by ${Math.round(height)}`);
    }
}
await browser.close();
