/** All that a reader may open, so that it opens after the server has gone. Loaded when there is a reader. */

import "./actions.js";
import "./address.js";
import "./alerting.js";
import "./alerts.js";
import "./arrival.js";
import "./beyond.js";
import "./chart_marks.js";
import "./chart_tools.js";
import "./command.js";
import "./currency.js";
import "./dialog.js";
import "./domains.js";
import "./embed.js";
import "./export.js";
import "./extras.js";
import "./filter.js";
import "./grains.js";
import "./greatest.js";
import "./help.js";
import "./key_legend.js";
import "./key_marks.js";
import "./keyed.js";
import "./kiosk.js";
import "./listing.js";
import "./marks.js";
import "./panels.js";
import "./ranges.js";
import "./readout.js";
import "./rolling.js";
import "./saved.js";
import "./table.js";
import "./time_travel.js";
import "./troubles.js";
import "./unusual.js";

// What was asked for while the server was away is asked for again.
const styles = document.querySelector("link[href='/static/parts.css']");
if (styles?.sheet === null) document.head.append(styles);
const link = document.createElement("link");
document.head.append(Object.assign(link, { rel: "stylesheet", href: "/static/kiosk.css" }));
