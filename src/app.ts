// The composition root: every domain is a line in each table it has something for. Clocks, chance and the engines
// come from outside.
import type { z } from "zod";
import type { EventType, House, Route } from "#kernel/endpoint.ts";
import type { Mail, Post } from "#kernel/mail.ts";
import { connectOutgoing } from "#kernel/outgoing.ts";
import { relay, type Reaction } from "#kernel/outbox.ts";
import type { Slice, Tx } from "#kernel/sql.ts";
import { ringDue, type TimerKind } from "#kernel/timers.ts";
import * as access from "#access/routes.ts";
import * as accessJobs from "#access/jobs.ts";
import * as accessService from "#access/service.ts";
import * as catalogEvents from "#catalog/events.ts";
import * as catalogRoutes from "#catalog/routes.ts";
import * as collectJobs from "#collect/jobs.ts";
import * as collectRoutes from "#collect/routes.ts";
import * as collect from "#collect/service.ts";
import * as doors from "#doors/routes.ts";
import * as companies from "#companies/routes.ts";
import * as companiesJobs from "#companies/jobs.ts";
import * as companiesService from "#companies/service.ts";
import * as exchangeJobs from "#exchange/jobs.ts";
import * as exchange from "#exchange/routes.ts";
import * as experiments from "#experiments/routes.ts";
import * as experimentsService from "#experiments/service.ts";
import * as feedsApi from "#feeds/api.ts";
import * as feedsEvents from "#feeds/events.ts";
import * as feedsJobs from "#feeds/jobs.ts";
import * as feedsRoutes from "#feeds/routes.ts";
import * as feedsService from "#feeds/service.ts";
import * as forms from "#forms/routes.ts";
import * as formsJobs from "#forms/jobs.ts";
import * as formsService from "#forms/service.ts";
import * as insights from "#insights/routes.ts";
import * as journeys from "#journeys/routes.ts";
import * as journeysJobs from "#journeys/jobs.ts";
import * as journeysService from "#journeys/service.ts";
import * as messages from "#messages/routes.ts";
import * as messagesEvents from "#messages/events.ts";
import * as messagesJobs from "#messages/jobs.ts";
import * as messagesService from "#messages/service.ts";
import * as offers from "#offers/routes.ts";
import * as offersEvents from "#offers/events.ts";
import * as offersJobs from "#offers/jobs.ts";
import * as offersService from "#offers/service.ts";
import * as orders from "#orders/jobs.ts";
import * as ordersEvents from "#orders/events.ts";
import * as ordersRoutes from "#orders/routes.ts";
import * as ordersService from "#orders/service.ts";
import * as peopleEvents from "#people/events.ts";
import * as peopleJobs from "#people/jobs.ts";
import * as peopleRoutes from "#people/routes.ts";
import * as people from "#people/service.ts";
import * as planJobs from "#plan/jobs.ts";
import * as plan from "#plan/routes.ts";
import * as predict from "#predict/routes.ts";
import * as predictEvents from "#predict/events.ts";
import * as predictJobs from "#predict/jobs.ts";
import * as predictService from "#predict/service.ts";
import { eraseColumns } from "#privacy/jobs.ts";
import * as privacy from "#privacy/routes.ts";
import type { Eraser } from "#privacy/service.ts";
import * as recommend from "#recommend/routes.ts";
import * as recommendService from "#recommend/service.ts";
import * as relations from "#relations/routes.ts";
import * as relationsJobs from "#relations/jobs.ts";
import * as relationsService from "#relations/service.ts";
import * as segments from "#segments/routes.ts";
import * as segmentsEvents from "#segments/events.ts";
import * as segmentsJobs from "#segments/jobs.ts";
import * as segmentsService from "#segments/service.ts";
import * as traits from "#traits/routes.ts";
import * as traitsJobs from "#traits/jobs.ts";
import * as traitsService from "#traits/service.ts";

/** Who holds rows of a person. The log goes before the nodes that lead to it. */
export const erasers: readonly Eraser[] = [
  collect.erase,
  relationsService.erase,
  companiesService.erase,
  formsService.erase,
  ordersService.erase,
  predictService.erase,
  traitsService.erase,
  recommendService.erase,
  offersService.erase,
  messagesService.erase,
  experimentsService.erase,
  journeysService.erase,
  feedsService.erase,
  accessService.erase,
  people.eraseRows,
  // Its triggers write down whose tags, spans and person went: it sweeps last.
  segmentsService.erase,
];
/** What the others make of the log besides people and segments, in the order in which it is worked out anew. */
const followers: readonly people.Refold[] = [
  ordersService.refold,
  companiesService.refold,
  relationsService.refold,
  predictJobs.refold,
  traitsJobs.refold,
];
/** What follows from the log alone, in that order. */
export const refolders: readonly people.Refold[] = [
  peopleJobs.refold,
  ...followers,
  segmentsJobs.refold,
];
/**
 * What is worked out of a person: it waits aside from the moment that they turn out to be another, with how it came to
 * be, and stands again as it was where the merge is undone.
 */
const aside: readonly people.Mover[] = [
  people.timers,
  people.movers,
  people.moverOf({ parked: ["segments_member", "segments_log", "traits_preference"] }),
  predictService.movers,
  recommendService.movers,
];
export const following: people.Following = { aside, refolders };
/** What was done with a person and goes with them, in the order in which it is moved. */
export const movers: readonly people.Mover[] = [
  people.waiting,
  // Whoever was given a person as a case has the one they turned out to be.
  people.moverOf({ moved: { access_case: ["operator_id"] } }),
  journeysService.movers,
  experimentsService.movers,
  messagesService.movers,
  offersService.movers,
  relationsService.movers,
  companiesService.movers,
];
/** What other systems can ask for: each event that says so of itself. */
const offered = [
  ordersEvents,
  catalogEvents,
  peopleEvents,
  predictEvents,
  segmentsEvents,
  offersEvents,
  messagesEvents,
  feedsEvents,
].flatMap((events) =>
  Object.values<EventType<z.ZodType>>(events).flatMap(({ offer, ...event }) =>
    offer ? [{ ...event, offer } satisfies feedsApi.Offered] : [],
  ),
);
export const allRoutes: readonly Route[] = [
  ...access.routes,
  ...collectRoutes.routes,
  ...doors.routes,
  ...peopleRoutes.routes,
  ...traits.routes,
  ...plan.routes,
  ...exchange.routes,
  ...relations.routes,
  ...companies.routes,
  ...forms.routes,
  ...catalogRoutes.routes,
  ...ordersRoutes.routes,
  ...predict.routes,
  ...segments.routes,
  ...recommend.routes,
  ...offers.routes,
  ...messages.routes,
  ...experiments.routes,
  ...journeys.routes,
  ...insights.routes,
  ...feedsRoutes.routesWith(offered),
  ...privacy.routesWith(erasers),
];
/** What each domain makes of a slice of the log, in this order, in one transaction with the slice's end. */
export const consumers: readonly ((house: House, tx: Tx, slice: Slice) => Promise<void>)[] = [
  peopleJobs.consumeWith(aside),
  orders.consume,
  relationsJobs.consume,
  companiesJobs.consume,
  messagesJobs.consume,
  exchangeJobs.consume,
  traitsJobs.consume,
  peopleJobs.followWith(followers),
  segmentsJobs.consume, // last: it asks what the others made
  peopleJobs.followWith([segmentsJobs.refold]),
];
export const reactions: readonly Reaction[] = [
  ...relationsJobs.reactions,
  ...companiesJobs.reactions,
  ...predictJobs.reactions,
  ...segmentsJobs.reactions,
  ...traitsJobs.reactions, // after segments: it asks who is in them
  ...feedsJobs.reactionsTo(offered.map(({ name }) => name)), // last: what it holds is held until commit
];
const timersWith = (post: Post | null): readonly TimerKind[] => [
  ...predictJobs.timers,
  ...companiesJobs.timers,
  ...segmentsJobs.timers,
  ...traitsJobs.timersWith(peopleJobs.tellOwn),
  ...offersJobs.timers,
  ...messagesJobs.timers,
  ...journeysJobs.timers,
  ...accessJobs.timersWith(post && mailWith(post)),
  ...formsJobs.timersWith(post && mailWith(post)),
  ...feedsJobs.timersWith(
    post &&
      ((house, tx, notice) =>
        accessService.tellOwners(house, tx, feedsJobs.noticeMail(notice), mailWith(post))),
  ),
];
const mailWith =
  (post: Post) =>
  async ({ to, subject, text }: { to: string; subject: string; text: string }): Promise<void> => {
    const messageId = `${crypto.randomUUID()}@liuke`;
    const mail: Mail = { to, subject, text, html: "", messageId, headers: {} };
    const posted = await post.send(mail);
    if (posted.kind !== "accepted") throw new Error(`mail ${posted.kind}: ${posted.code}`);
  };

/** One helping of each kind of background work. Each says how much it found; 0 means that it is idle. */
export function pumps(house: House, post: Post | null) {
  const timers = timersWith(post);
  const outgoing = connectOutgoing(house.settings.feedAllow);
  const webhooks = feedsJobs.sender(house, outgoing);
  const files = exchangeJobs.files(house);
  return {
    consume: () => collectJobs.consume(house, consumers),
    plan: () => collectJobs.consume(house, [planJobs.consume], "plan"),
    merge: async () =>
      (await peopleJobs.merge(house, movers, refolders)) +
      (await peopleJobs.rework(house, following)),
    relay: () => relay(house, reactions),
    ring: () => ringDue(house, timers),
    segment: () => segmentsJobs.settle(house),
    ship: async () =>
      (await people.ship(house)) +
      (await collectJobs.ship(house)) +
      (await segmentsJobs.ship(house)),
    deliver: () => messagesJobs.deliver(house, { post }),
    /** What is on its way when it is asked to stop is waited for. */
    tell: webhooks.run,
    told: () => webhooks.idle().finally(outgoing.close),
    erase: () => eraseColumns(house, erasers),
    rebuild: () => exchangeJobs.rebuild(house, refolders),
    files: async () => (await exchangeJobs.mend(house)) + (await files.run()),
    /** A file that is being imported ends its batch and waits for the next start. */
    halt: files.stop,
  };
}
export type Pumps = ReturnType<typeof pumps>;
