// SPDX-License-Identifier: GPL-2.0-or-later
// Opens a page in Firefox with its Network Monitor, and has that make a HAR, as "Save All As HAR" does; see
// record_har.py. Marionette, Firefox' own remote control, lets a script run in the browser's chrome.
"use strict";

const fs = require("fs");
const net = require("net");
const { spawn } = require("child_process");

const plan = JSON.parse(process.argv[2]);
const PORT = 2828;
const OPEN = `
  const { require } = ChromeUtils.importESModule("resource://devtools/shared/loader/Loader.sys.mjs");
  const { gDevTools } = require("devtools/client/framework/devtools");
  const window = Services.wm.getMostRecentWindow("navigator:browser");
  window.toolboxOfTab = await gDevTools.showToolboxForTab(window.gBrowser.selectedTab, { toolId: "netmonitor" });
  return "";`;
const EXPORT = `
  const window = Services.wm.getMostRecentWindow("navigator:browser");
  return JSON.stringify(await window.toolboxOfTab.getHARFromNetMonitor());`;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function connect() {
  for (let tries = 0; tries < 100; tries++) {
    try {
      return await new Promise((done, fail) => {
        const socket = net.connect(PORT, "127.0.0.1", () => done(socket));
        socket.on("error", fail);
      });
    } catch {
      await sleep(300);
    }
  }
  throw new Error("Firefox does not come up");
}

function marionette(socket) {
  let buffer = Buffer.alloc(0);
  const waiting = new Map();
  let id = 0;
  socket.on("data", (piece) => {
    buffer = Buffer.concat([buffer, piece]);
    for (;;) {
      const colon = buffer.indexOf(":");
      const end = colon + 1 + Number(buffer.subarray(0, Math.max(0, colon)));
      if (colon < 0 || buffer.length < end) return;
      const message = JSON.parse(buffer.subarray(colon + 1, end));
      buffer = buffer.subarray(end);
      if (Array.isArray(message) && waiting.has(message[1])) waiting.get(message[1])(message);
    }
  });
  return (name, params = {}) =>
    new Promise((done, fail) => {
      const text = JSON.stringify([0, ++id, name, params]);
      waiting.set(id, ([, , error, result]) => (error ? fail(new Error(error.message)) : done(result)));
      socket.write(`${Buffer.byteLength(text)}:${text}`);
    });
}

async function main() {
  fs.mkdirSync(plan.profile, { recursive: true });
  const argv = ["--headless", "--marionette", "-remote-allow-system-access", "--profile", plan.profile, "--no-remote"];
  const browser = spawn("firefox-esr", [...argv, "about:blank"], {
    stdio: "ignore",
    env: { ...process.env, HOME: plan.profile },
  });
  try {
    const send = marionette(await connect());
    const run = async (body) => {
      const script = `const done = arguments[0]; (async () => {${body}})().then(done, (error) => done("ERROR " + error));`;
      const result = await send("WebDriver:ExecuteAsyncScript", { script, args: [], sandbox: "system" });
      if (String(result.value).startsWith("ERROR")) throw new Error(result.value);
      return result.value;
    };
    await send("WebDriver:NewSession", { capabilities: {} });
    await send("WebDriver:SetTimeouts", { script: 30000 });
    await send("Marionette:SetContext", { value: "chrome" });
    await run(OPEN);
    await send("Marionette:SetContext", { value: "content" });
    await send("WebDriver:Navigate", { url: plan.url });
    for (let tries = 0; (await send("WebDriver:GetTitle")).value !== "DONE" && tries < 200; tries++) await sleep(100);
    await send("Marionette:SetContext", { value: "chrome" });
    const made = JSON.parse(await run(EXPORT));
    const log = made.log || made;
    log.entries = log.entries.filter((entry) => !entry.request.url.endsWith(".js"));
    fs.writeFileSync(plan.out, `${JSON.stringify({ log }, null, "  ")}\n`);
    console.log("LOG exported");
  } finally {
    browser.kill();
  }
  process.exit(0);
}

main();
