// SPDX-License-Identifier: GPL-2.0-or-later
// A development server as bundlers have it: http-proxy-middleware in front of a server on another port. Its plan:
//   to     the port of the server behind it
"use strict";
const express = require("express");
const { createProxyMiddleware } = require("http-proxy-middleware");
const { plan } = require("./plan");

const app = express();
app.use(createProxyMiddleware({ target: `http://127.0.0.1:${plan.to}`, pathFilter: "/socket.io", ws: true }));
app.listen(3000, () => console.log("LISTENING"));
