// SPDX-License-Identifier: GPL-2.0-or-later
// Serves the page that is the browser client of the variants, on a port that is not recorded, and
// takes its log: POST /truth appends a line, POST /done prints what the page says and tells the
// recorder to end the browser.

"use strict";

const crypto = require("crypto");
const fs = require("fs");
const http = require("http");
const path = require("path");

const config = JSON.parse(process.argv[2]);

const PAGE = `<!doctype html><meta charset="utf-8"><title>client</title>
<script>window.config = ${JSON.stringify(config.page).replace(/</g, "\\u003c")};</script>
<script src="/library.js" charset="utf-8"></script>
<script src="/conversation.js" charset="utf-8"></script>
<body><script src="/page.js" charset="utf-8"></script></body>`;

const files = {
  "/library.js": config.library,
  "/conversation.js": path.join(__dirname, "conversation.js"),
  "/page.js": path.join(__dirname, config.script || "page.js"),
};

// The page cannot hash where it has no secure context; it sends the bytes as base64.
const digest = (base64) => {
  const data = Buffer.from(base64, "base64");
  return { bytes: data.length, sha256: crypto.createHash("sha256").update(data).digest("hex") };
};

const body = async (request) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
};

http
  .createServer(async (request, response) => {
    const text = await body(request);
    if (request.url === "/") {
      response.setHeader("Content-Type", "text/html; charset=utf-8");
      response.end(PAGE);
    } else if (files[request.url]) {
      response.setHeader("Content-Type", "text/javascript; charset=utf-8");
      response.end(fs.readFileSync(files[request.url]));
    } else if (request.url === "/truth") {
      for (const line of JSON.parse(text)) {
        for (const kind of ["attachments", "binary"]) if (line[kind]) line[kind] = line[kind].map(digest);
        fs.appendFileSync(config.truth, JSON.stringify(line) + "\n");
      }
      response.end();
    } else if (request.url === "/done") {
      response.end();
      console.log(text);
      console.log("DONE");
    } else {
      response.statusCode = 404;
      response.end();
    }
  })
  .listen(config.port, "::", () => console.log("LISTENING"));
