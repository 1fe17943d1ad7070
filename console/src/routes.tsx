// Every address of the console. All that a page shows hangs on its address: filters, pages, the chosen run.
import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { Problem } from "./ui/call.ts";
import { houseQuery, selfQuery } from "./ui/session.tsx";
import { Lost, opens, places, Shell, Stopped } from "./ui/shell.tsx";

type Search = Record<string, unknown>;
/** Of an address, the texts it may hold; anything else is left out. */
const texts =
  <const K extends string>(...names: K[]) =>
  (search: Search): { [N in K]?: string } =>
    Object.fromEntries(
      names.flatMap((name) => {
        const value = search[name];
        return typeof value === "string" || typeof value === "number"
          ? [[name, String(value)]]
          : [];
      }),
    ) as { [N in K]?: string };

const root = createRootRouteWithContext<{ queries: QueryClient }>()({
  // What no page asks for is left out, so that no page passes it on.
  validateSearch: () => ({}),
  component: Outlet,
  notFoundComponent: Lost,
});

// ── before one is signed in ────────────────────────────────────────────────────────────────────────────────────────

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: texts("next"),
  component: lazyRouteComponent(() => import("./access/sign-in.tsx"), "SignIn"),
});
const door = <const P extends string>(path: P, name: "Setup" | "Invitation" | "Reset") =>
  createRoute({
    getParentRoute: () => root,
    path,
    component: lazyRouteComponent(() => import("./access/doors.tsx"), name),
  });
const setup = door("/setup", "Setup");
const invitation = door("/invitation", "Invitation");
const reset = door("/reset", "Reset");

// ── behind the door ────────────────────────────────────────────────────────────────────────────────────────────────

const inside = createRoute({
  getParentRoute: () => root,
  id: "inside",
  beforeLoad: async ({ context: { queries }, location }) => {
    try {
      await Promise.all([queries.ensureQueryData(selfQuery), queries.ensureQueryData(houseQuery)]);
    } catch (thrown) {
      if (thrown instanceof Problem && thrown.status === 401)
        throw redirect({ to: "/sign-in", search: { next: location.href }, replace: true });
      throw thrown;
    }
  },
  component: Shell,
  errorComponent: Stopped,
});

const today = createRoute({
  getParentRoute: () => inside,
  path: "/",
  // Whose role has no Today begins at the first page it has.
  beforeLoad: async ({ context: { queries } }) => {
    const self = await queries.ensureQueryData(selfQuery);
    const first = places.flatMap(({ places: inGroup }) => inGroup).find(opens(self));
    if (first && first.to !== "/") throw redirect({ to: first.to, replace: true });
  },
  component: lazyRouteComponent(() => import("./insights/today.tsx"), "Today"),
});
const todayPeople = createRoute({
  getParentRoute: () => inside,
  path: "/today/people",
  validateSearch: texts("figure", "stage", "before", "now"),
  component: lazyRouteComponent(() => import("./insights/today-people.tsx"), "TodayPeople"),
});
const members = createRoute({
  getParentRoute: () => inside,
  path: "/members",
  validateSearch: texts("stage", "rfm", "rfmSegment", "segment", "tag", "value", "country", "sort"),
  component: lazyRouteComponent(() => import("./people/members.tsx"), "Members"),
});
const member = createRoute({
  getParentRoute: () => inside,
  path: "/members/$person",
  component: lazyRouteComponent(() => import("./people/member.tsx"), "Member"),
});
const memberTrace = createRoute({
  getParentRoute: () => inside,
  path: "/members/$person/trace",
  component: lazyRouteComponent(() => import("./insights/trace.tsx"), "MemberTrace"),
});
const lifecycle = createRoute({
  getParentRoute: () => inside,
  path: "/lifecycle",
  component: lazyRouteComponent(() => import("./predict/lifecycle.tsx"), "Lifecycle"),
});
const moves = createRoute({
  getParentRoute: () => inside,
  path: "/lifecycle/moves",
  validateSearch: texts("from", "to", "days"),
  component: lazyRouteComponent(() => import("./predict/moves.tsx"), "Moves"),
});
const rfm = createRoute({
  getParentRoute: () => inside,
  path: "/rfm",
  validateSearch: texts("cell"),
  component: lazyRouteComponent(() => import("./predict/rfm.tsx"), "Rfm"),
});
const segments = createRoute({
  getParentRoute: () => inside,
  path: "/segments",
  component: lazyRouteComponent(() => import("./segments/segments.tsx"), "Segments"),
});
const editSegment = createRoute({
  getParentRoute: () => inside,
  path: "/segments/edit",
  validateSearch: texts("segment"),
  component: lazyRouteComponent(() => import("./segments/edit.tsx"), "EditSegment"),
});
const compareSegments = createRoute({
  getParentRoute: () => inside,
  path: "/segments/compare",
  validateSearch: texts("a", "b", "of"),
  component: lazyRouteComponent(() => import("./segments/compare.tsx"), "CompareSegments"),
});
const segment = createRoute({
  getParentRoute: () => inside,
  path: "/segments/$segment",
  component: lazyRouteComponent(() => import("./segments/segment.tsx"), "Segment"),
});
const segmentChanges = createRoute({
  getParentRoute: () => inside,
  path: "/segments/$segment/changes",
  component: lazyRouteComponent(() => import("./segments/changes.tsx"), "SegmentChanges"),
});
const keptList = createRoute({
  getParentRoute: () => inside,
  path: "/segments/$segment/lists/$list",
  component: lazyRouteComponent(() => import("./segments/lists.tsx"), "KeptList"),
});
const traits = createRoute({
  getParentRoute: () => inside,
  path: "/traits",
  component: lazyRouteComponent(() => import("./traits/traits.tsx"), "Traits"),
});
const editTrait = createRoute({
  getParentRoute: () => inside,
  path: "/traits/edit",
  validateSearch: texts("trait"),
  component: lazyRouteComponent(() => import("./traits/edit.tsx"), "EditTrait"),
});
const attributes = createRoute({
  getParentRoute: () => inside,
  path: "/attributes",
  component: lazyRouteComponent(() => import("./traits/attributes.tsx"), "Attributes"),
});
const tags = createRoute({
  getParentRoute: () => inside,
  path: "/tags",
  component: lazyRouteComponent(() => import("./traits/tags.tsx"), "Tags"),
});
const editTag = createRoute({
  getParentRoute: () => inside,
  path: "/tags/edit",
  validateSearch: texts("tag"),
  component: lazyRouteComponent(() => import("./traits/edit-tag.tsx"), "EditTag"),
});
const tag = createRoute({
  getParentRoute: () => inside,
  path: "/tags/of/$tag",
  component: lazyRouteComponent(() => import("./traits/tag.tsx"), "TagPage"),
});
const identity = createRoute({
  getParentRoute: () => inside,
  path: "/identity",
  component: lazyRouteComponent(() => import("./people/rules.tsx"), "IdentityRules"),
});
const companies = createRoute({
  getParentRoute: () => inside,
  path: "/companies",
  validateSearch: texts("search"),
  component: lazyRouteComponent(() => import("./companies/companies.tsx"), "Companies"),
});
const company = createRoute({
  getParentRoute: () => inside,
  path: "/companies/$company",
  component: lazyRouteComponent(() => import("./companies/company.tsx"), "Company"),
});
const forms = createRoute({
  getParentRoute: () => inside,
  path: "/forms",
  component: lazyRouteComponent(() => import("./forms/forms.tsx"), "Forms"),
});
const form = createRoute({
  getParentRoute: () => inside,
  path: "/forms/$form",
  component: lazyRouteComponent(() => import("./forms/form.tsx"), "FormPage"),
});
const programmes = createRoute({
  getParentRoute: () => inside,
  path: "/programmes",
  component: lazyRouteComponent(() => import("./journeys/programmes.tsx"), "Programmes"),
});
const programme = createRoute({
  getParentRoute: () => inside,
  path: "/programmes/$programme",
  validateSearch: texts("run"),
  component: lazyRouteComponent(() => import("./journeys/programme.tsx"), "Programme"),
});
const programmePeople = createRoute({
  getParentRoute: () => inside,
  path: "/programmes/$programme/people",
  validateSearch: texts(
    "run",
    "arm",
    "returned",
    "crossed",
    "node",
    "coupon",
    "channel",
    "verdict",
  ),
  component: lazyRouteComponent(() => import("./journeys/programme-people.tsx"), "ProgrammePeople"),
});
const outbox = createRoute({
  getParentRoute: () => inside,
  path: "/outbox",
  component: lazyRouteComponent(() => import("./messages/outbox.tsx"), "Outbox"),
});
const retention = createRoute({
  getParentRoute: () => inside,
  path: "/retention",
  validateSearch: texts("engine", "show"),
  component: lazyRouteComponent(() => import("./insights/retention.tsx"), "Retention"),
});
const retentionPeople = createRoute({
  getParentRoute: () => inside,
  path: "/retention/people",
  validateSearch: texts("cohort", "month"),
  component: lazyRouteComponent(() => import("./insights/retention-people.tsx"), "RetentionPeople"),
});
const results = createRoute({
  getParentRoute: () => inside,
  path: "/results",
  component: lazyRouteComponent(() => import("./journeys/results.tsx"), "Results"),
});
const trace = createRoute({
  getParentRoute: () => inside,
  path: "/trace",
  validateSearch: texts("event"),
  component: lazyRouteComponent(() => import("./insights/trace.tsx"), "Trace"),
});
const operators = createRoute({
  getParentRoute: () => inside,
  path: "/operators",
  component: lazyRouteComponent(() => import("./access/operators.tsx"), "Operators"),
});
const sources = createRoute({
  getParentRoute: () => inside,
  path: "/sources",
  component: lazyRouteComponent(() => import("./collect/sources.tsx"), "SourcesPage"),
});
const source = createRoute({
  getParentRoute: () => inside,
  path: "/sources/$source",
  component: lazyRouteComponent(() => import("./collect/source.tsx"), "SourcePage"),
});
const refusedFilter = ["source", "reason", "name", "field", "run", "span"] as const;
const refused = createRoute({
  getParentRoute: () => inside,
  path: "/refused",
  validateSearch: texts(...refusedFilter),
  component: lazyRouteComponent(() => import("./collect/refused.tsx"), "RefusedPage"),
});
const refusedItem = createRoute({
  getParentRoute: () => inside,
  path: "/refused/$item",
  validateSearch: texts(...refusedFilter),
  component: lazyRouteComponent(() => import("./collect/refused-one.tsx"), "RefusedItem"),
});
const imports = createRoute({
  getParentRoute: () => inside,
  path: "/imports",
  component: lazyRouteComponent(() => import("./collect/imports.tsx"), "ImportsPage"),
});
const importFile = createRoute({
  getParentRoute: () => inside,
  path: "/imports/$file",
  component: lazyRouteComponent(() => import("./collect/import-file.tsx"), "ImportFile"),
});
const exportsPage = createRoute({
  getParentRoute: () => inside,
  path: "/exports",
  component: lazyRouteComponent(() => import("./collect/exports.tsx"), "ExportsPage"),
});
const plan = createRoute({
  getParentRoute: () => inside,
  path: "/tracking-plan",
  validateSearch: texts("source", "show", "find"),
  component: lazyRouteComponent(() => import("./plan/plan.tsx"), "TrackingPlan"),
});
const planEvent = createRoute({
  getParentRoute: () => inside,
  path: "/tracking-plan/event",
  validateSearch: texts("source", "name"),
  component: lazyRouteComponent(() => import("./plan/event.tsx"), "PlanEvent"),
});
const products = createRoute({
  getParentRoute: () => inside,
  path: "/products",
  validateSearch: texts("query"),
  component: lazyRouteComponent(() => import("./catalog/products.tsx"), "Products"),
});
const product = createRoute({
  getParentRoute: () => inside,
  path: "/products/history",
  validateSearch: texts("source", "sku"),
  component: lazyRouteComponent(() => import("./catalog/product.tsx"), "ProductHistory"),
});
const keys = createRoute({
  getParentRoute: () => inside,
  path: "/keys",
  component: lazyRouteComponent(() => import("./access/keys.tsx"), "ApiKeys"),
});
const webhooks = createRoute({
  getParentRoute: () => inside,
  path: "/webhooks",
  component: lazyRouteComponent(() => import("./feeds/webhooks.tsx"), "Webhooks"),
});
const webhook = createRoute({
  getParentRoute: () => inside,
  path: "/webhooks/$webhook",
  validateSearch: texts("state"),
  component: lazyRouteComponent(() => import("./feeds/webhook.tsx"), "WebhookPage"),
});
const account = createRoute({
  getParentRoute: () => inside,
  path: "/account",
  component: lazyRouteComponent(() => import("./access/account.tsx"), "Account"),
});

const tree = root.addChildren([
  signIn,
  setup,
  invitation,
  reset,
  inside.addChildren([
    today,
    todayPeople,
    members,
    member,
    memberTrace,
    lifecycle,
    moves,
    rfm,
    segments,
    editSegment,
    compareSegments,
    segment,
    segmentChanges,
    keptList,
    traits,
    attributes,
    editTrait,
    tags,
    editTag,
    tag,
    identity,
    companies,
    company,
    forms,
    form,
    programmes,
    programme,
    programmePeople,
    outbox,
    retention,
    retentionPeople,
    results,
    trace,
    sources,
    source,
    refused,
    refusedItem,
    imports,
    importFile,
    exportsPage,
    webhooks,
    webhook,
    plan,
    planEvent,
    products,
    product,
    operators,
    keys,
    account,
  ]),
]);

/** Values in an address are texts: ?rfm=5-4 is no sum, and ?run=2 is no JSON. */
const readSearch = (search: string): Search => Object.fromEntries(new URLSearchParams(search));
const writeSearch = (search: Search): string => {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(search))
    if (value !== undefined && value !== null && value !== "") query.set(name, String(value));
  return query.size > 0 ? `?${query}` : "";
};

export const makeRouter = (queries: QueryClient) =>
  createRouter({
    routeTree: tree,
    context: { queries },
    parseSearch: readSearch,
    stringifySearch: writeSearch,
    defaultPreload: "intent",
    scrollRestoration: true,
    defaultNotFoundComponent: Lost,
  });

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
