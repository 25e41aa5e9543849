import { createHash } from 'node:crypto';
import { distributionSection } from './html/distribution-section.ts';
import { failureSection } from './html/failure-section.ts';
import { html, Markup } from './html/markup.ts';
import { matrixSection } from './html/matrix-section.ts';
import { parameterSection } from './html/parameter-section.ts';
import { SCRIPT } from './html/script.ts';
import { STYLE } from './html/style.ts';
import { summarySection } from './html/summary-section.ts';
import { timelineSection } from './html/timeline-section.ts';
import type { TrialReport } from './trial-report.ts';

/** By hash, so that a browser runs and applies nothing but what is written here, even if text of a user got into the page unescaped. */
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${sha256(STYLE)}'`,
  `script-src 'sha256-${sha256(SCRIPT)}'`,
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/**
 * The report as one page that needs nothing else: no network, no other file. It shows the best variant, the matrix as a heat map, how values
 * are distributed, parameters against metrics, when attempts ran, and what failed. Of large runs it shows a part, and says so: 10,000
 * variants make a page of less than 10 MB.
 */
export function reportHtml(reported: TrialReport): string {
  const { report } = reported;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Markup(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${report.run.name} · BatchTest</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<main>
${summarySection(report)}${matrixSection(report)}${distributionSection(reported)}${parameterSection(report)}${timelineSection(reported)}${failureSection(report)}<footer>Run <code>${report.run.uid}</code>. The same as data: <code>batchtest report ${report.run.uid} -o json</code></footer>
</main>
<script>${new Markup(SCRIPT)}</script>
</body>
</html>
`;
  return page.text;
}

function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('base64');
}
