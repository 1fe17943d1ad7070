// Programs that read pages, by how they call themselves. They are marked, not refused: their events are kept.

/** Parts of user agents, in small letters. After the lists that crawlers publish of themselves. */
const names = [
  ...["bot", "crawl", "spider", "slurp", "scrape", "archiver", "indexer", "preview", "fetcher"],
  ...["headlesschrome", "phantomjs", "puppeteer", "playwright", "selenium", "lighthouse"],
  ...["pagespeed", "facebookexternalhit", "facebookcatalog", "mediapartners-google", "googleother"],
  ...["yandeximages", "sogou", "whatsapp/", "skypeuripreview", "gtmetrix", "datadogsynthetics"],
  ...["pingdom", "uptimerobot", "statuscake", "site24x7", "perplexity", "dataforseo", "ahrefs"],
  ...["semrush", "screaming frog", "w3c_validator", "google-read-aloud"],
];
/** "Cubot" is a telephone. */
const telephones = /\bcubot\b/g;
export function isBot(agent: string, more: readonly string[]): boolean {
  const text = agent.slice(0, 1000).toLowerCase().replaceAll(telephones, "");
  return [...names, ...more.map((name) => name.trim().toLowerCase())].some(
    (name) => name !== "" && text.includes(name),
  );
}
