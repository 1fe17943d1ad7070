import { answer, type Route } from "#kernel/endpoint.ts";
import { fail, ok } from "#kernel/result.ts";
import * as api from "./api.ts";
import * as service from "./service.ts";

export const routes: Route[] = [
  answer(api.readExperiment, async ({ house }, { experiment }) => {
    const found = await service.read(house.sql, experiment);
    return found ? ok(found) : fail("experiments.unknown");
  }),
];
