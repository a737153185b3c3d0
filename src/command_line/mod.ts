/** The command line's arguments: how each kind is read, and how it is written. What there are commands of stands in `main.ts`. */
export * from "./arguments.ts";
