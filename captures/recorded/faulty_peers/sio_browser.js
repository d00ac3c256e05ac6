// SPDX-License-Identifier: GPL-2.0-or-later
// A Chromium without a screen whose page has the browser build of socket.io-client. Its plan:
//   url, options  for io()
//   lifeMs        the page leaves after so long
// The page is served on the client's own host, so that it needs CORS on the server.
"use strict";
const { spawn } = require("child_process");
const fs = require("fs");
const http = require("http");
const os = require("os");
const path = require("path");
const { plan, log, sleep } = require("./plan");

const PORT = 8000;
const CHROMIUM = [
  "--headless=new",
  "--no-sandbox", // it refuses to run as root with one
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];
const library = path.join(path.dirname(require.resolve("socket.io-client/package.json")), "dist/socket.io.js");
const PAGE = `<!doctype html><meta charset="utf-8"><title>client</title><link rel="icon" href="data:,">
<script src="/library.js"></script><script>
const tell = (text) => fetch("/tell", { method: "POST", body: text });
const socket = io(${JSON.stringify(plan.url)}, ${JSON.stringify(plan.options || {})});
socket.on("connect", () => tell("connect, transport " + socket.io.engine.transport.name));
socket.on("connect_error", (error) => tell("connect_error: " + error.message));
setTimeout(async () => { socket.close(); setTimeout(() => tell("leaves"), 200); }, ${plan.lifeMs});
</script>`;

const main = async () => {
  let done;
  const left = new Promise((resolve) => (done = resolve));
  const pages = http.createServer(async (request, response) => {
    let told = "";
    for await (const part of request) {
      told += part;
    }
    if (request.url === "/tell") {
      log(told);
      response.end();
      return told === "leaves" ? done() : undefined;
    }
    const isPage = request.url === "/";
    response.setHeader("Content-Type", isPage ? "text/html" : "text/javascript");
    response.end(isPage ? PAGE : fs.readFileSync(library));
  });
  await new Promise((resolve) => pages.listen(PORT, "127.0.0.1", resolve));
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), "eiosniff-browser-"));
  const argv = [...CHROMIUM, `--user-data-dir=${profile}`, `http://127.0.0.1:${PORT}/`];
  const browser = spawn("chromium", argv, { stdio: "ignore", env: { ...process.env, HOME: profile } });
  await Promise.race([left, sleep(40000)]);
  const ended = new Promise((resolve) => browser.on("exit", resolve));
  browser.kill();
  await Promise.race([ended, sleep(3000)]);
  fs.rmSync(profile, { recursive: true, force: true });
  process.exit(0);
};

main();
