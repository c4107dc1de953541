/** What one process at a time does: what runs or waits, since when, how far it is, and how it ended last. */
import type { JobSeen, JobState } from "@kavach-polar/core/Billing"
import { type Html, html, type Value } from "../html.ts"
import { live } from "../live.ts"
import { type Page, table } from "../page.ts"
import { badge, empty, time } from "../parts.ts"
import type { Visit } from "../Visit.ts"

const most = 100

export const jobs = async ({ run }: Visit): Promise<Page> => {
  const found = await run(({ operations }) => operations.jobs(most + 1))
  const shown = found.slice(0, most)
  const current = shown.filter(({ state }) => isCurrent(state))
  const over = shown.filter(({ state }) => !isCurrent(state))
  return {
    title: "Jobs",
    current: "jobs",
    isLive: true,
    main: html`<h1>Jobs</h1>
<p>What one of your app's processes does at a time, for all of them. When it dies, another one takes over after the time that it has the job for.</p>
${live(
  "jobs",
  html`<section><h2>Under way</h2>${
    current.length === 0
      ? empty("Nothing is under way.")
      : table(
          ["Job", "State", "Began", "Done by", "How far"],
          current.map((job) => [
            nameOf(job),
            badge(job.state),
            time(job.startedAt),
            holderOf(job),
            html`${job.progress} <span class="muted small">Moved last ${time(job.updatedAt)}.</span>`
          ]),
          "Jobs that are under way",
          current.map(({ name }) => name)
        )
  }</section>
<section><h2>Last time</h2>${
    over.length === 0
      ? empty("None was done yet.")
      : table(
          ["Job", "State", "Began", "Last done", "Came of it"],
          over.map((job) => [
            nameOf(job),
            badge(job.state),
            time(job.startedAt),
            time(job.finishedAt),
            job.state === "failed" ? "It was begun since, and not done to its end: the log says why." : job.outcome
          ]),
          "How jobs ended",
          over.map(({ name }) => name)
        )
  }${found.length > most && html`<p class="muted">There are more than ${most}.</p>`}</section>`
)}`
  }
}

const isCurrent = (state: JobState): boolean => state === "running" || state === "lapsed" || state === "waiting"

const names: Readonly<Record<string, string>> = {
  reconcile: "Comparison with Polar",
  clock: "What ends by the clock",
  "link waiting": "Linking what waits for its user"
}

const nameOf = ({ name }: JobSeen): Value => {
  const [, kind, id] = /^(erasure:|refund )(.+)$/.exec(name) ?? []
  return kind === undefined
    ? (names[name] ?? name)
    : html`${kind === "refund " ? "Refund of order" : "Erasure"} <code>${id}</code>`
}

const holderOf = ({ leaseUntil, owner, state }: JobSeen): Html =>
  owner === null
    ? html`<span class="muted">nobody: it goes on by itself</span>`
    : state === "lapsed"
      ? html`<code>${owner.slice(0, 8)}</code>, who had it until ${time(leaseUntil)} and has died or hangs`
      : html`<code>${owner.slice(0, 8)}</code>, until ${time(leaseUntil)} at the latest`
