// SPDX-License-Identifier: GPL-2.0-or-later
// The client of the healthy recordings with what JSON cannot carry: an agent for a forward proxy
// (http-proxy-agent asks with absolute URIs, https-proxy-agent opens tunnels), or `fetch` instead of
// XMLHttpRequest, which inflates what a proxy has compressed.

"use strict";

const { config } = require("../peers/healthy_common.js");

if (config.agent) {
  const { module, name, url } = config.agent;
  config.options.agent = new (require(module)[name])(url);
}
if (config.fetch) config.options.transports = [require("engine.io-client").Fetch];

require("../peers/healthy_client.js");
