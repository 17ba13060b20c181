// Chromium without a window. Reads a line of JSON for each thing to do, and writes one with what the page is then.
//
// node browser.mjs CHROMIUM FOLDER
//
// Everything that a page loads, and every address that it goes to, is written to the file `requests` in the folder.
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const [, , executablePath, folder] = process.argv;
const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--disable-background-networking'],
});
const people = new Map();

// each person has a browser of their own, as far as cookies go
const page = async ({ who, width = 1280, dark = false }) => {
  const key = `${who} ${width} ${dark}`;
  if (people.has(who) && people.get(who).key === key) return people.get(who).page;
  const old = people.get(who);
  const context = await browser.newContext({
    viewport: { width, height: width < 600 ? 844 : 900 },
    colorScheme: dark ? 'dark' : 'light',
    javaScriptEnabled: false,
    storageState: old ? await old.context.storageState() : undefined,
  });
  const made = await context.newPage();
  made.setDefaultTimeout(20000);
  made.on('request', (request) => appendFileSync(`${folder}/requests`, `${request.method()} ${request.url()}\n`));
  made.on('console', (message) => appendFileSync(`${folder}/console`, `${message.text()}\n`));
  if (old) {
    if (old.page.url().startsWith('http')) await made.goto(old.page.url());
    await old.context.close();
  }
  people.set(who, { key, page: made, context });
  return made;
};

const deeds = {
  open: async (own, { address }) => (await own.goto(address))?.status(),
  fill: async (own, { label, value }) => own.getByLabel(label, { exact: true }).fill(value),
  choose: async (own, { label }) => own.getByLabel(label).check(),
  unfold: async (own, { name, within = 'main' }) => own.locator(within).locator('summary', { hasText: name }).first().click(),
  press: async (own, { name, within }) => {
    const place = within ? own.locator(within) : own;
    await place.getByRole('button', { name }).first().click();
    // one page goes on by itself, to the provider, and that one back
    const passes = async () => !own.url().startsWith('chrome-error:') && ((await own.locator('a[rel=noreferrer]').count()) > 0 || !(await own.locator('footer').count()));
    for (let left = 150; left && (await passes().catch(() => true)); left--) await new Promise((done) => setTimeout(done, 100));
  },
  back: async (own) => own.goBack(),
  reload: async (own) => (await own.reload())?.status(),
  shot: async (own, { file }) => own.screenshot({ path: file, fullPage: true }),
  cookies: async (own) => own.context().cookies(),
  put: async (own, { cookies }) => own.context().addCookies(cookies),
  overflow: async (own) => own.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth'),
};

for await (const line of createInterface({ input: process.stdin })) {
  const wanted = JSON.parse(line);
  let told;
  try {
    const own = await page(wanted);
    const got = await deeds[wanted.deed](own, wanted);
    await own.waitForLoadState();
    told = { got, title: await own.title(), address: own.url(), text: await own.locator('body').innerText() };
  } catch (error) {
    told = { error: String(error).slice(0, 2000) };
  }
  console.log(JSON.stringify(told));
}
await browser.close();
