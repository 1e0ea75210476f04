// Opens every page of a built site in the distribution's Chromium and writes what it saw as JSON.
//
//   node look.mjs SITE OUT.json SCREENSHOTS CHROMIUM [page ...]
//
// First from disk, in three modes, with the accessibility rules of axe-core and a screenshot of each page; then
// served on loopback below a sub-path, where pages are weighed, searched and clicked. Judging is left to
// tests/test_browser.py.

import { createReadStream, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, relative, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [site, out, screenshots, executablePath, ...only] = process.argv.slice(2);
const root = resolve(site);
const MODES = {
  light: { viewport: { width: 1440, height: 900 }, colorScheme: "light" },
  dark: { viewport: { width: 1440, height: 900 }, colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: "light", deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"];
const SUBPATH = "/a/deep%20path/of/the/book/";
const WORDS = ["embargo", "certificate", "Matthews"];
const TALLEST = 6000; // of one screenshot, in pixels: a long page is kept in parts
const PARALLEL = 4; // pages wait more than they compute
const TYPES = { ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".json": "application/json",
  ".svg": "image/svg+xml", ".png": "image/png", ".woff2": "font/woff2", ".woff": "font/woff" };
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const walk = (folder) => readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? walk(join(folder, entry.name)) : [join(folder, entry.name)]);
const files = walk(root);
const pages = files.map((path) => relative(root, path).split(sep).join("/"))
  .filter((name) => name.endsWith(".html") && !name.startsWith("_static/") && !name.startsWith("_sources/"))
  .filter((name) => !only.length || only.includes(name)).sort();

const weight = (list) => list.reduce((sum, path) => sum + statSync(path).size, 0);

// what is measured inside a page
const measure = async ([rules, withAxe, width]) => {
  if (window.MathJax && window.MathJax.startup) await window.MathJax.startup.promise;
  for (const image of document.images) { image.loading = "eager"; await image.decode().catch(() => 0); }
  await new Promise((done) => setTimeout(done, 300)); // until the theme's colours have settled
  const ratio = (image) => {
    const style = getComputedStyle(image), pad = (side) => parseFloat(style["padding" + side]);
    return (image.clientWidth - pad("Left") - pad("Right")) / (image.clientHeight - pad("Top") - pad("Bottom"));
  };
  const images = [...document.images];
  const drawn = images.filter((i) => i.naturalWidth && i.clientWidth && !i.src.endsWith(".svg"));
  const found = {
    overflow: Math.max(document.documentElement.scrollWidth - width, 0), // a phone's innerWidth grows with the page
    formulas: document.querySelectorAll("mjx-container").length,
    merror: document.querySelectorAll("mjx-merror, [data-mml-node=merror]").length,
    missing: images.filter((i) => !i.naturalWidth).map((i) => i.getAttribute("src")),
    distorted: drawn.filter((i) => Math.abs(ratio(i) * i.naturalHeight / i.naturalWidth - 1) > 0.02)
      .map((i) => i.getAttribute("src")),
    violations: [],
  };
  if (withAxe) {
    const result = await window.axe.run(document, { runOnly: rules, preload: false, resultTypes: ["violations"] });
    found.violations = result.violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(", ")}`));
  }
  return found;
};

// what a page asks for, and what goes wrong; `home` says which addresses are its own
const listen = (page, home) => {
  const heard = { remote: [], failed: [], console: [] };
  page.on("request", (request) => { if (!home(request.url())) heard.remote.push(request.url()); });
  page.on("requestfailed", (request) => heard.failed.push(`${request.url()} ${request.failure()?.errorText}`));
  page.on("response", (response) => { if (response.status() >= 400) heard.failed.push(`${response.url()} ${response.status()}`); });
  page.on("pageerror", (error) => heard.console.push(String(error)));
  page.on("console", (message) => { if (message.type() === "error") heard.console.push(message.text()); });
  return heard;
};
const inline = (url) => /^(data|blob|about):/.test(url);
const fromDisk = (url) => inline(url) || url.startsWith("file:");

const each = async (list, work) => {
  const waiting = [...list.entries()], results = [];
  await Promise.all(Array.from({ length: PARALLEL }, async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) results[next[0]] = await work(next[1]);
  }));
  return results;
};

const look = async (browser, mode) => {
  mkdirSync(join(screenshots, mode), { recursive: true });
  const context = await browser.newContext(MODES[mode]);
  const rows = await each(pages, async (name) => {
    const page = await context.newPage();
    const heard = listen(page, fromDisk);
    await page.goto(pathToFileURL(join(root, name)).href, { waitUntil: "load" });
    await page.evaluate(axe);
    const found = await page.evaluate(measure, [RULES, true, MODES[mode].viewport.width]);
    const stem = join(screenshots, mode, name.replaceAll("/", "-").replace(/\.html$/, ""));
    const { height, width } = await page.evaluate(() => ({ height: document.documentElement.scrollHeight, width: innerWidth }));
    const last = name.includes("/api/") ? 1 : Infinity; // pages of the reference are all alike
    for (let top = 0, part = 1; top < height && part <= last; top += TALLEST, part += 1) {
      const clip = { x: 0, y: top, width, height: Math.min(TALLEST, height - top) };
      await page.screenshot({ path: `${stem}-${part}.png`, fullPage: true, clip, scale: "css", animations: "disabled" });
    }
    await page.close();
    return { page: name, mode, ...found, ...heard };
  });
  await context.close();
  return rows;
};

// the site as a server below a sub-path would give it
const serve = () => new Promise((ready) => {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    const base = decodeURIComponent(SUBPATH);
    const file = resolve(root, path.startsWith(base) ? path.slice(base.length) || "index.html" : "..");
    if (!file.startsWith(root + sep) || !statSync(file, { throwIfNoEntry: false })?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" });
    createReadStream(file).pipe(response);
  });
  server.listen(0, "127.0.0.1", () => ready(server));
});

const weigh = async (browser, home) => each(pages, async (name) => {
  const context = await browser.newContext(MODES.light); // a new one each: nothing is cached
  const page = await context.newPage();
  const heard = listen(page, (url) => inline(url) || url.startsWith(home));
  let bytes = 0;
  const sizes = [];
  page.on("response", (response) => sizes.push(response.body().then((body) => {
    if (!response.url().includes("/mathjax/")) bytes += body.length;
  }).catch(() => 0)));
  await page.goto(home + name, { waitUntil: "networkidle" });
  await Promise.all(sizes);
  await context.close();
  return { page: name, mode: "served", bytes, ...heard };
});

const search = async (browser, home) => {
  const page = await browser.newPage();
  const found = {};
  for (const word of WORDS) {
    await page.goto(`${home}search.html?q=${word}`, { waitUntil: "load" });
    await page.waitForSelector("#search-results li", { timeout: 15000 }).catch(() => 0);
    found[word] = await page.locator("#search-results li").count();
  }
  await page.close();
  return found;
};

// from a card of the front page to the code of its number
const follow = async (browser, home) => {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(home, { waitUntil: "load" });
  await page.locator(".score a.glued").first().click();
  await page.waitForLoadState("load");
  await page.waitForTimeout(500);
  const landed = await page.evaluate(() => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const cell = target && target.closest("div.cell");
    const code = cell && cell.querySelector("details.hide pre, div.cell_input pre");
    const box = code && code.getBoundingClientRect();
    return { page: location.pathname.split("/").pop(), hash: location.hash, code: code ? code.innerText : "",
      visible: Boolean(box && box.height > 0 && box.top < innerHeight && box.bottom > 0) };
  });
  await page.close();
  return landed;
};

// the switches of the evidence lab, off, on, and accessible when on
const flip = async (browser, home) => {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(`${home}book/notebooks/07_evidence_lab.html`, { waitUntil: "load" });
  const board = page.locator(".switchboard");
  const switches = board.getByRole("switch");
  const shown = () => board.locator(".switch-value:visible").count();
  const state = { switches: await switches.count(), before: await shown() };
  await switches.first().press("Enter");
  state.after = await shown();
  state.checked = await switches.first().getAttribute("aria-checked");
  state.said = await board.locator(".switchboard-say").innerText();
  await board.getByRole("button", { name: "Flip all" }).click();
  state.all = await shown();
  await page.evaluate(axe);
  state.violations = await page.evaluate(async (rules) => (await window.axe.run(document.querySelector(".switchboard"),
    { runOnly: rules, preload: false })).violations.map((v) => v.id), RULES);
  await page.close();
  return state;
};

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-quic",
  "--hide-scrollbars", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"] });
const server = await serve();
try {
  const home = `http://127.0.0.1:${server.address().port}${SUBPATH}`;
  const seen = [];
  for (const mode of Object.keys(MODES)) seen.push(...await look(browser, mode));
  const whole = !only.length;
  const result = {
    browser: `Chromium ${browser.version().split(".")[0]}`,
    axe: JSON.parse(readFileSync(createRequire(import.meta.url).resolve("axe-core/package.json"), "utf8")).version,
    pages: pages.length,
    bytes: weight(files),
    readBytes: weight(files.filter((path) => !/^(_downloads|_sources)[\\/]/.test(relative(root, path)))),
    seen,
    served: await weigh(browser, home),
    search: whole ? await search(browser, home) : null,
    follow: whole ? await follow(browser, home) : null,
    flip: whole ? await flip(browser, home) : null,
  };
  writeFileSync(out, JSON.stringify(result, null, 1) + "\n");
} finally {
  await browser.close();
  server.close();
}
