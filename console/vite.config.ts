import { join } from "node:path";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { endpoints } from "./endpoints.ts";

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react(), endpoints()],
  build: {
    outDir: join(import.meta.dirname, "dist"),
    emptyOutDir: true,
    target: "es2022",
    // Everything stays a file of its own: the Content-Security-Policy lets no inline script or style through.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    cssCodeSplit: false,
    manifest: true,
    chunkSizeWarningLimit: 600,
  },
});
