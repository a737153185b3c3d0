/** One connection for many views, in turns: each is asked for its figures anew. For feed.js, when a browser shows many views. */

const EVERY_MS = 10_000;
/** Figures that are not there by then are waited for in the next turn. */
const LIMIT_MS = 5_000;

/** Gives {every_ms, make_source(url)}: sources like an EventSource, of which one at a time is connected. @param {any} parts */
export function make_turns({ make_source, set_timer, clear_timer }) {
  const waiting = [];
  let turn = null;

  function make_one(url) {
    const heard = {};
    let source = null, timer, limit, is_closed = false, told = false;

    function ask() {
      if (turn === null) mine.begin();
      else waiting.push(mine);
    }

    function end() {
      clear_timer(limit);
      source?.close();
      source = null;
      if (turn !== mine) return;
      turn = null;
      waiting.shift()?.begin();
    }

    function end_until_next() {
      end();
      timer = set_timer(ask, EVERY_MS);
    }

    function listen(name) {
      source.addEventListener(name, ({ data }) => {
        if (turn !== mine) return;
        told = true;
        // Without an id: who resumed would not be told all of it the next time.
        heard[name]({ data, lastEventId: "" });
        if (!is_closed && JSON.parse(data).cards) end_until_next();
      });
    }

    const mine = {
      addEventListener(name, run) {
        heard[name] = run;
        if (source !== null) listen(name);
      },
      onerror() {},
      begin() {
        turn = mine;
        told = false;
        source = make_source(url);
        source.onerror = () => mine.onerror();
        limit = set_timer(() => told ? end_until_next() : mine.onerror(), LIMIT_MS);
        Object.keys(heard).forEach(listen);
      },
      close() {
        is_closed = true;
        clear_timer(timer);
        if (waiting.includes(mine)) waiting.splice(waiting.indexOf(mine), 1);
        end();
      },
    };
    // Who makes it has yet to listen.
    timer = set_timer(ask, 0);
    return mine;
  }

  return { every_ms: EVERY_MS, make_source: make_one };
}
