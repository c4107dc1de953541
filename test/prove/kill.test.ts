/** The short form of the proof `kill` on a file. */
import { kill } from "./kill.ts"
import { proves } from "./shortForms.ts"

proves(kill, "sqlite", 5)
