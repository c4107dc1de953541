/** The short form of the proof `outage` on a file. */
import { outage } from "./outage.ts"
import { proves } from "./shortForms.ts"

proves(outage, "sqlite", 1)
