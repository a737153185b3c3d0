import actions_js from "../../static/actions.js" with { type: "text" };
import address_js from "../../static/address.js" with { type: "text" };
import alerting_js from "../../static/alerting.js" with { type: "text" };
import alerts_js from "../../static/alerts.js" with { type: "text" };
import all_parts_js from "../../static/all_parts.js" with { type: "text" };
import app_js from "../../static/app.js" with { type: "text" };
import arrival_js from "../../static/arrival.js" with { type: "text" };
import beyond_js from "../../static/beyond.js" with { type: "text" };
import breakdowns_js from "../../static/breakdowns.js" with { type: "text" };
import cards_js from "../../static/cards.js" with { type: "text" };
import chart_marks_js from "../../static/chart_marks.js" with { type: "text" };
import chart_tools_js from "../../static/chart_tools.js" with { type: "text" };
import charts_css from "../../static/charts.css" with { type: "text" };
import charts_js from "../../static/charts.js" with { type: "text" };
import command_js from "../../static/command.js" with { type: "text" };
import currency_js from "../../static/currency.js" with { type: "text" };
import dialog_js from "../../static/dialog.js" with { type: "text" };
import domains_css from "../../static/domains.css" with { type: "text" };
import domains_js from "../../static/domains.js" with { type: "text" };
import early_js from "../../static/early.js" with { type: "text" };
import embed_css from "../../static/embed.css" with { type: "text" };
import embed_js from "../../static/embed.js" with { type: "text" };
import export_js from "../../static/export.js" with { type: "text" };
import extras_js from "../../static/extras.js" with { type: "text" };
import feed_js from "../../static/feed.js" with { type: "text" };
import feed_port_js from "../../static/feed_port.js" with { type: "text" };
import feed_turns_js from "../../static/feed_turns.js" with { type: "text" };
import filter_js from "../../static/filter.js" with { type: "text" };
import format_js from "../../static/format.js" with { type: "text" };
import grains_js from "../../static/grains.js" with { type: "text" };
import greatest_js from "../../static/greatest.js" with { type: "text" };
import help_js from "../../static/help.js" with { type: "text" };
import index_html from "../../static/index.html" with { type: "text" };
import items_js from "../../static/items.js" with { type: "text" };
import key_legend_js from "../../static/key_legend.js" with { type: "text" };
import key_marks_js from "../../static/key_marks.js" with { type: "text" };
import keyed_js from "../../static/keyed.js" with { type: "text" };
import kiosk_css from "../../static/kiosk.css" with { type: "text" };
import kiosk_js from "../../static/kiosk.js" with { type: "text" };
import list_js from "../../static/list.js" with { type: "text" };
import listing_js from "../../static/listing.js" with { type: "text" };
import login_index_html from "../../static/login/index.html" with { type: "text" };
import login_login_css from "../../static/login/login.css" with { type: "text" };
import login_login_js from "../../static/login/login.js" with { type: "text" };
import map_css from "../../static/map.css" with { type: "text" };
import map_js from "../../static/map.js" with { type: "text" };
import map_data_js from "../../static/map_data.js" with { type: "text" };
import map_film_js from "../../static/map_film.js" with { type: "text" };
import map_hand_js from "../../static/map_hand.js" with { type: "text" };
import map_paint_js from "../../static/map_paint.js" with { type: "text" };
import map_panel_js from "../../static/map_panel.js" with { type: "text" };
import map_plane_js from "../../static/map_plane.js" with { type: "text" };
import map_words_js from "../../static/map_words.js" with { type: "text" };
import marks_js from "../../static/marks.js" with { type: "text" };
import opening_js from "../../static/opening.js" with { type: "text" };
import page_js from "../../static/page.js" with { type: "text" };
import panels_js from "../../static/panels.js" with { type: "text" };
import parts_css from "../../static/parts.css" with { type: "text" };
import ranges_js from "../../static/ranges.js" with { type: "text" };
import readout_js from "../../static/readout.js" with { type: "text" };
import rolling_js from "../../static/rolling.js" with { type: "text" };
import saved_js from "../../static/saved.js" with { type: "text" };
import segments_js from "../../static/segments.js" with { type: "text" };
import series_js from "../../static/series.js" with { type: "text" };
import state_js from "../../static/state.js" with { type: "text" };
import status_js from "../../static/status.js" with { type: "text" };
import stream_facts_js from "../../static/stream/facts.js" with { type: "text" };
import stream_index_html from "../../static/stream/index.html" with { type: "text" };
import stream_stream_css from "../../static/stream/stream.css" with { type: "text" };
import stream_stream_js from "../../static/stream/stream.js" with { type: "text" };
import stream_timeline_js from "../../static/stream/timeline.js" with { type: "text" };
import stream_watch_js from "../../static/stream/watch.js" with { type: "text" };
import stream_words_js from "../../static/stream/words.js" with { type: "text" };
import style_css from "../../static/style.css" with { type: "text" };
import table_js from "../../static/table.js" with { type: "text" };
import time_travel_js from "../../static/time_travel.js" with { type: "text" };
import touch_js from "../../static/touch.js" with { type: "text" };
import troubles_js from "../../static/troubles.js" with { type: "text" };
import unusual_js from "../../static/unusual.js" with { type: "text" };
import vendor_uPlot_LICENSE_txt from "../../static/vendor/uPlot.LICENSE.txt" with { type: "text" };
import vendor_uPlot_iife_min_js from "../../static/vendor/uPlot.iife.min.js" with { type: "text" };
import wide_list_css from "../../static/wide_list.css" with { type: "text" };

/**
 * The page's files, by path below `static/`: made by `deno task assets`. They enter the program as text by import attributes, so that it
 * reads them alike whether it runs, is bundled or compiled.
 */
export const ASSETS: Readonly<Record<string, string>> = {
  "actions.js": actions_js,
  "address.js": address_js,
  "alerting.js": alerting_js,
  "alerts.js": alerts_js,
  "all_parts.js": all_parts_js,
  "app.js": app_js,
  "arrival.js": arrival_js,
  "beyond.js": beyond_js,
  "breakdowns.js": breakdowns_js,
  "cards.js": cards_js,
  "chart_marks.js": chart_marks_js,
  "chart_tools.js": chart_tools_js,
  "charts.css": charts_css,
  "charts.js": charts_js,
  "command.js": command_js,
  "currency.js": currency_js,
  "dialog.js": dialog_js,
  "domains.css": domains_css,
  "domains.js": domains_js,
  "early.js": early_js,
  "embed.css": embed_css,
  "embed.js": embed_js,
  "export.js": export_js,
  "extras.js": extras_js,
  "feed.js": feed_js,
  "feed_port.js": feed_port_js,
  "feed_turns.js": feed_turns_js,
  "filter.js": filter_js,
  "format.js": format_js,
  "grains.js": grains_js,
  "greatest.js": greatest_js,
  "help.js": help_js,
  "index.html": index_html,
  "items.js": items_js,
  "key_legend.js": key_legend_js,
  "key_marks.js": key_marks_js,
  "keyed.js": keyed_js,
  "kiosk.css": kiosk_css,
  "kiosk.js": kiosk_js,
  "list.js": list_js,
  "listing.js": listing_js,
  "login/index.html": login_index_html,
  "login/login.css": login_login_css,
  "login/login.js": login_login_js,
  "map.css": map_css,
  "map.js": map_js,
  "map_data.js": map_data_js,
  "map_film.js": map_film_js,
  "map_hand.js": map_hand_js,
  "map_paint.js": map_paint_js,
  "map_panel.js": map_panel_js,
  "map_plane.js": map_plane_js,
  "map_words.js": map_words_js,
  "marks.js": marks_js,
  "opening.js": opening_js,
  "page.js": page_js,
  "panels.js": panels_js,
  "parts.css": parts_css,
  "ranges.js": ranges_js,
  "readout.js": readout_js,
  "rolling.js": rolling_js,
  "saved.js": saved_js,
  "segments.js": segments_js,
  "series.js": series_js,
  "state.js": state_js,
  "status.js": status_js,
  "stream/facts.js": stream_facts_js,
  "stream/index.html": stream_index_html,
  "stream/stream.css": stream_stream_css,
  "stream/stream.js": stream_stream_js,
  "stream/timeline.js": stream_timeline_js,
  "stream/watch.js": stream_watch_js,
  "stream/words.js": stream_words_js,
  "style.css": style_css,
  "table.js": table_js,
  "time_travel.js": time_travel_js,
  "touch.js": touch_js,
  "troubles.js": troubles_js,
  "unusual.js": unusual_js,
  "vendor/uPlot.LICENSE.txt": vendor_uPlot_LICENSE_txt,
  "vendor/uPlot.iife.min.js": vendor_uPlot_iife_min_js,
  "wide_list.css": wide_list_css,
};
