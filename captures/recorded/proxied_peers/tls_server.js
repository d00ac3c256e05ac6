// SPDX-License-Identifier: GPL-2.0-or-later
// The server of the healthy recordings over TLS.

"use strict";

const fs = require("fs");
const http = require("http");
const https = require("https");
const { config } = require("../peers/healthy_common.js");

const identity = { key: fs.readFileSync(config.tls.key), cert: fs.readFileSync(config.tls.cert) };
http.createServer = () => https.createServer(identity);

require("../peers/healthy_server.js");
