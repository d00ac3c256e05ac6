// SPDX-License-Identifier: GPL-2.0-or-later
// The development server of Vite with the smallest project, in the folder of its plan, and without
// a proxy rule for Socket.IO.
"use strict";
const fs = require("fs");
const path = require("path");
const { plan } = require("./plan");

const root = fs.mkdtempSync(path.join(require("os").tmpdir(), "vite-"));
fs.writeFileSync(path.join(root, "index.html"), plan.page);
process.on("SIGTERM", () => {
  fs.rmSync(root, { recursive: true });
  process.exit(0);
});

(async () => {
  const { createServer } = require("vite");
  const server = await createServer({
    root,
    configFile: false,
    logLevel: "error",
    server: { host: "0.0.0.0", port: 3000, hmr: false },
  });
  await server.listen();
  console.log("LISTENING");
})();
