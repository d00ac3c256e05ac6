// SPDX-License-Identifier: GPL-2.0-or-later
// A page in a tab of Chromium that is soon hidden behind another tab. Its plan:
//   url      where the page connects; without a library by WebSocket, and it then pings by hand
//   library  whether it uses socket.io-client (its browser build), of whatever version NODE_PATH holds
//   everyMs  the period of its interval timer, which pings (by hand) or sends an event (library)
//   lifeMs   when the browser is ended
// Chromium wakes chained timers of a hidden page once a minute when it has been hidden for five
// minutes; a feature parameter makes that ten seconds. All else is as it comes.
"use strict";
const { spawn } = require("child_process");
const fs = require("fs");
const http = require("http");
const os = require("os");
const path = require("path");
const { plan, log, sleep } = require("./plan");

const PAGE_PORT = 8000; // is not recorded
const CONTROL_PORT = 8001;
const HIDDEN_AFTER_MS = 3000;

const script = plan.library
  ? `const socket = io(url, { transports: ["websocket"], reconnection: false });
     setInterval(() => socket.emit("hello", "word"), everyMs);`
  : `const socket = new WebSocket(url);
     socket.onopen = () => setInterval(() => socket.readyState === 1 && socket.send("2"), everyMs);`;

const page = `<!doctype html><meta charset="utf-8"><title>client</title>
${plan.library ? '<script src="/library.js" charset="utf-8"></script>' : ""}
<script>
  const url = ${JSON.stringify(plan.url)}, everyMs = ${plan.everyMs};
  ${script}
</script>`;

const server = http.createServer((request, response) => {
  const library = request.url === "/library.js";
  response.setHeader("Content-Type", library ? "text/javascript" : "text/html; charset=utf-8");
  response.end(library ? fs.readFileSync(path.join(process.env.NODE_PATH, "socket.io-client/dist/socket.io.js")) : page);
});

// What the browser answers to a request of its DevTools protocol over HTTP.
const control = (method, target) =>
  new Promise((resolve, reject) => {
    const asked = http.request({ port: CONTROL_PORT, path: target, method }, (answer) => {
      let text = "";
      answer.on("data", (chunk) => (text += chunk));
      answer.on("end", () => resolve(text));
    });
    asked.on("error", reject);
    asked.end();
  });

(async () => {
  await new Promise((resolve) => server.listen(PAGE_PORT, "127.0.0.1", resolve));
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), "eiosniff-tab-"));
  const browser = spawn(
    "chromium",
    [
      "--headless=new",
      "--no-sandbox", // it refuses to run as root with one
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
      `--remote-debugging-port=${CONTROL_PORT}`,
      `--user-data-dir=${profile}`,
      "--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/10",
      `http://127.0.0.1:${PAGE_PORT}/`,
    ],
    { stdio: "ignore", env: { ...process.env, HOME: profile } },
  );
  const end = () => {
    browser.kill("SIGKILL");
    fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    process.exit(0);
  };
  process.on("SIGTERM", end);
  while (!(await control("GET", "/json").catch(() => "")).includes(`:${PAGE_PORT}`)) {
    await sleep(200);
  }
  await sleep(HIDDEN_AFTER_MS);
  const other = JSON.parse(await control("PUT", "/json/new?about:blank"));
  await control("GET", `/json/activate/${other.id}`);
  log("hidden");
  await sleep(plan.lifeMs);
  end();
})();
