import { Link, useParams } from "@tanstack/react-router";
import { api } from "../ui/call.ts";
import { Page, Part } from "../ui/page.tsx";
import { useCall } from "../ui/session.tsx";
import { useFormat, useWords } from "../ui/words.tsx";
import { SourceSettings } from "./source-settings.tsx";

/** One source: how to connect it, what it is held to, and the way to what it sent that could not be taken in. */
export function SourcePage() {
  const { t } = useWords();
  const format = useFormat();
  const { source } = useParams({ from: "/inside/sources/$source" });
  const known = useCall(api.collect.sources, {}).data?.sources.find(({ id }) => id === source);
  return (
    <Page
      title={known ? known.name : t.nav.sources}
      says={<Link to="/sources">{t.sourcePage.back}</Link>}
    >
      {known && (
        <Part title={t.sourcePage.refused}>
          {known.refused === 0 && known.rejected === 0 ? (
            <p className="quiet">{t.sourcePage.none}</p>
          ) : (
            <p>
              <Link to="/refused" search={{ source }}>
                {t.refusedPage.openOf(format.number(known.rejected))}
              </Link>
              {known.beyond > 0 && ` ${t.refusedPage.beyond(format.number(known.beyond))}`}
            </p>
          )}
        </Part>
      )}
      <SourceSettings source={source} />
    </Page>
  );
}
