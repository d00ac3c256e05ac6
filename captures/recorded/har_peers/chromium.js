// SPDX-License-Identifier: GPL-2.0-or-later
// Opens a page in Chromium, with DevTools' own front end on it, and has that export a HAR; see record_har.py.
//
// The front end is a page of the browser's debugging port. `models/har` in it is what "Export HAR" calls, with the
// requests that the Network panel lists; those for scripts are left out, as a filter in the panel would do it.
"use strict";

const fs = require("fs");
const http = require("http");
const { spawn } = require("child_process");
const WebSocket = require("ws");

const plan = JSON.parse(process.argv[2]);
const PORT = 9333;
const ARGUMENTS = [
  "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", `--remote-debugging-port=${PORT}`,
  "--remote-allow-origins=*", `--user-data-dir=${plan.profile}`, "about:blank",
];
const EXPORT = `(async () => {
  const logs = await import("/devtools/models/logs/logs.js");
  const har = await import("/devtools/models/har/har.js");
  const common = await import("/devtools/core/common/common.js");
  let text = "";
  const stream = { write: async (piece) => { text += piece; }, close: async () => {} };
  const requests = logs.NetworkLog.NetworkLog.instance().requests().filter((one) => !one.url().endsWith(".js"));
  const progress = new common.Progress.Progress();
  await har.Writer.Writer.write(stream, requests, { sanitize: ${Boolean(plan.sanitize)} }, progress);
  return text;
})()`;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function ask(method, path) {
  return new Promise((done, fail) => {
    const request = http.request({ host: "127.0.0.1", port: PORT, method, path }, (response) => {
      let text = "";
      response.on("data", (piece) => (text += piece));
      response.on("end", () => done(JSON.parse(text)));
    });
    request.on("error", fail);
    request.end();
  });
}

function attach(url) {
  const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 1 << 28 });
  const waiting = new Map();
  let id = 0;
  socket.on("message", (data) => {
    const message = JSON.parse(data);
    if (waiting.has(message.id)) waiting.get(message.id)(message.result);
    waiting.delete(message.id);
  });
  const send = (method, params = {}) =>
    new Promise((done) => {
      waiting.set(++id, done);
      socket.send(JSON.stringify({ id, method, params }));
    });
  const evaluate = async (expression) => {
    const said = await send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (said.exceptionDetails) throw new Error(JSON.stringify(said.exceptionDetails));
    return said.result.value;
  };
  return new Promise((done) => socket.on("open", () => done({ send, evaluate })));
}

async function until(done, ms = 20000) {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(100)) {
    try {
      const result = await done();
      if (result) return result;
    } catch {
      // not yet
    }
  }
  throw new Error("it takes too long");
}

// Now and then the front end does not come up; another one does.
async function openDevTools(frontEnd, tries = 4) {
  const opened = await ask("PUT", `/json/new?${encodeURIComponent(frontEnd)}`);
  const devtools = await attach(opened.webSocketDebuggerUrl);
  try {
    await until(() => devtools.evaluate("document.title.startsWith('DevTools - ')"), 12000);
  } catch (error) {
    if (tries === 1) throw error;
    await new Promise((done) => http.get(`http://127.0.0.1:${PORT}/json/close/${opened.id}`, done));
    return openDevTools(frontEnd, tries - 1);
  }
  await sleep(4000); // until it listens to the network; a module that is asked for too early never loads
  return devtools;
}

async function main() {
  const browser = spawn("chromium", ARGUMENTS, { stdio: "ignore" });
  try {
    const target = await until(async () => (await ask("GET", "/json/list")).find((one) => one.type === "page"));
    const frontEnd = `http://127.0.0.1:${PORT}/devtools/devtools_app.html?ws=127.0.0.1:${PORT}/devtools/page/${target.id}`;
    const devtools = await openDevTools(frontEnd);
    const page = await attach(target.webSocketDebuggerUrl);
    await page.send("Page.navigate", { url: plan.url });
    await until(() => page.evaluate("document.title === 'DONE'"));
    fs.writeFileSync(plan.out, await devtools.evaluate(EXPORT));
    console.log("LOG exported");
  } finally {
    browser.kill();
  }
  process.exit(0);
}

main();
