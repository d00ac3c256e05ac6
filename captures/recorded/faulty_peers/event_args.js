// SPDX-License-Identifier: GPL-2.0-or-later
// What the arguments of events in a plan stand for:
//   {"$json": x}      x made JSON before it is handed over, so that it is JSON in a string
//   {"$base64": n}    n bytes as a base64 string; {"$bytes": n}: as they are
//   {"$count": true}  how often the event was sent before
"use strict";
const crypto = require("crypto");

exports.madeOf = (arg, index) => {
  if (arg && arg.$json) {
    return JSON.stringify(arg.$json);
  }
  if (arg && arg.$base64) {
    return crypto.randomBytes(arg.$base64).toString("base64");
  }
  if (arg && arg.$bytes) {
    return crypto.randomBytes(arg.$bytes);
  }
  return arg && arg.$count ? index : arg;
};
