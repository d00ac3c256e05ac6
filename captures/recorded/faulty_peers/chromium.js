// SPDX-License-Identifier: GPL-2.0-or-later
// A Chromium without a screen, and a web server for the page that it opens.
"use strict";
const { spawn } = require("child_process");
const fs = require("fs");
const http = require("http");
const os = require("os");
const path = require("path");
const { log } = require("./plan");

const FLAGS = [
  "--headless=new",
  "--no-sandbox", // it refuses to run as root with one
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

exports.PAGE_PORT = 8000; // is not recorded

// What the browser build of socket.io-client is in, of whatever version NODE_PATH holds.
const library = () => {
  const found = require.resolve("socket.io-client/package.json");
  return fs.readFileSync(path.join(path.dirname(found), "dist/socket.io.js"));
};

// Serves a page with this script. It can `tell` what is logged, and what `onTold` gets, too.
exports.servePage = (host, script, { withLibrary = true, sandbox = false, onTold = () => {} } = {}) => {
  const page = `<!doctype html><meta charset="utf-8"><title>client</title><link rel="icon" href="data:,">
${withLibrary ? '<script src="/library.js" charset="utf-8"></script>' : ""}
<script>
const tell = (text) => fetch("/tell", { method: "POST", body: text });
${script}
</script>`;
  const answer = async (request, response) => {
    let told = "";
    for await (const part of request) {
      told += part;
    }
    if (request.url === "/tell") {
      log(told);
      response.end();
      onTold(told);
      return;
    }
    const isPage = request.url === "/";
    response.setHeader("Content-Type", isPage ? "text/html" : "text/javascript");
    if (sandbox) {
      response.setHeader("Content-Security-Policy", "sandbox allow-scripts");
    }
    response.end(isPage ? page : library());
  };
  return new Promise((resolve) => http.createServer(answer).listen(exports.PAGE_PORT, host, resolve));
};

// Opens a page in a browser with a profile of its own; returns how to end it.
exports.browse = (host, flags = [], url = `http://${host}:${exports.PAGE_PORT}/`) => {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), "eiosniff-browser-"));
  const argv = [...FLAGS, ...flags, `--user-data-dir=${profile}`, url];
  const browser = spawn("chromium", argv, { stdio: "ignore", env: { ...process.env, HOME: profile } });
  const ended = new Promise((resolve) => browser.on("exit", resolve));
  return async () => {
    browser.kill("SIGKILL");
    await ended;
    fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
};
