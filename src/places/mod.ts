/**
 * Where things are: the shapes of places that keys name, H3 cells, and areas that a deployment gives. Pure.
 *
 * Decision: the server tells shapes, in whole numbers, once to each who looks at a map. A page that computed them would carry all of h3-js,
 * four times what it weighs itself.
 */
export * from "./areas.ts";
export * from "./hexagons.ts";
