import address_js from "../../static/address.js" with { type: "text" };
import app_js from "../../static/app.js" with { type: "text" };
import breakdowns_js from "../../static/breakdowns.js" with { type: "text" };
import cards_js from "../../static/cards.js" with { type: "text" };
import charts_js from "../../static/charts.js" with { type: "text" };
import controls_js from "../../static/controls.js" with { type: "text" };
import feed_js from "../../static/feed.js" with { type: "text" };
import figures_js from "../../static/figures.js" with { type: "text" };
import format_js from "../../static/format.js" with { type: "text" };
import index_html from "../../static/index.html" with { type: "text" };
import login_css from "../../static/login/login.css" with { type: "text" };
import login_html from "../../static/login/index.html" with { type: "text" };
import login_js from "../../static/login/login.js" with { type: "text" };
import page_js from "../../static/page.js" with { type: "text" };
import series_js from "../../static/series.js" with { type: "text" };
import state_js from "../../static/state.js" with { type: "text" };
import status_js from "../../static/status.js" with { type: "text" };
import style_css from "../../static/style.css" with { type: "text" };
import table_js from "../../static/table.js" with { type: "text" };
import theme_js from "../../static/theme.js" with { type: "text" };
import time_axis_js from "../../static/time_axis.js" with { type: "text" };
import trip_address_js from "../../static/trip/address.js" with { type: "text" };
import trip_facts_js from "../../static/trip/facts.js" with { type: "text" };
import trip_html from "../../static/trip/index.html" with { type: "text" };
import trip_moved_js from "../../static/trip/moved.js" with { type: "text" };
import trip_notes_js from "../../static/trip/notes.js" with { type: "text" };
import trip_timeline_js from "../../static/trip/timeline.js" with { type: "text" };
import trip_page_css from "../../static/trip/trip.css" with { type: "text" };
import trip_page_js from "../../static/trip/trip.js" with { type: "text" };
import trip_watch_js from "../../static/trip/watch.js" with { type: "text" };
import trip_words_js from "../../static/trip/words.js" with { type: "text" };
import trips_js from "../../static/trips.js" with { type: "text" };
import vendor_uplot_iife_min_js from "../../static/vendor/uPlot.iife.min.js" with { type: "text" };
import vendor_uplot_license_txt from "../../static/vendor/uPlot.LICENSE.txt" with { type: "text" };
import vendor_uplot_min_css from "../../static/vendor/uPlot.min.css" with { type: "text" };
import warnings_js from "../../static/warnings.js" with { type: "text" };

/**
 * The page's files, by path below `static/`. They enter the program as text by import attributes, so that it reads them alike
 * whether it runs, is bundled or compiled. A test checks that every file of the folder is here.
 */
export const ASSETS: Readonly<Record<string, string>> = {
  "address.js": address_js,
  "app.js": app_js,
  "breakdowns.js": breakdowns_js,
  "cards.js": cards_js,
  "charts.js": charts_js,
  "controls.js": controls_js,
  "feed.js": feed_js,
  "figures.js": figures_js,
  "format.js": format_js,
  "index.html": index_html,
  "login/index.html": login_html,
  "login/login.css": login_css,
  "login/login.js": login_js,
  "page.js": page_js,
  "series.js": series_js,
  "state.js": state_js,
  "status.js": status_js,
  "style.css": style_css,
  "table.js": table_js,
  "theme.js": theme_js,
  "time_axis.js": time_axis_js,
  "trip/address.js": trip_address_js,
  "trip/facts.js": trip_facts_js,
  "trip/index.html": trip_html,
  "trip/moved.js": trip_moved_js,
  "trip/notes.js": trip_notes_js,
  "trip/timeline.js": trip_timeline_js,
  "trip/trip.css": trip_page_css,
  "trip/trip.js": trip_page_js,
  "trip/watch.js": trip_watch_js,
  "trip/words.js": trip_words_js,
  "trips.js": trips_js,
  "vendor/uPlot.iife.min.js": vendor_uplot_iife_min_js,
  "vendor/uPlot.LICENSE.txt": vendor_uplot_license_txt,
  "vendor/uPlot.min.css": vendor_uplot_min_css,
  "warnings.js": warnings_js,
};
