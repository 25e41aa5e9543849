import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import {
  GraphDrawStyle,
  StackingConfigBuilder,
  StackingMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import type { Dashboard, DashboardBuilder, Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { RowBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as HeatmapBuilder } from '@grafana/grafana-foundation-sdk/heatmap';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/** A panel as a dashboard's file tells of it. */
export interface PanelText {
  readonly title: string;
  /** What a person should make of it. */
  readonly description: string;
  /** A unit of Grafana's; default: a bare number. */
  readonly unit?: string;
  /** Of 24 columns; default: 12. */
  readonly width?: number;
}

/** An expression of PromQL and how its series are called. */
export interface Expression {
  readonly expr: string;
  readonly legend: string;
}

const HEIGHT = 8;
/** The data source that is chosen in the dashboard. */
const CHOSEN = `\${datasource}`;
export const PROMETHEUS = { type: 'prometheus', uid: CHOSEN } as const;
export const POSTGRES = { type: 'grafana-postgresql-datasource', uid: CHOSEN } as const;

const query = ({ expr, legend }: Expression, index: number): DataqueryBuilder =>
  new DataqueryBuilder().expr(expr).legendFormat(legend).refId(refId(index)).range();

const refId = (index: number): string => String.fromCharCode('A'.charCodeAt(0) + index);

const legend = (): VizLegendOptionsBuilder =>
  new VizLegendOptionsBuilder().showLegend(true).calcs(['lastNotNull', 'max']);

/** Lines over time. */
export function lines(text: PanelText, ...expressions: readonly Expression[]): Builder<Panel> {
  const panel = timeSeries(text);
  for (const [index, expression] of expressions.entries()) panel.withTarget(query(expression, index));
  return panel;
}

/** Areas over time that add up. */
export function stacked(text: PanelText, ...expressions: readonly Expression[]): Builder<Panel> {
  const panel = timeSeries(text)
    .fillOpacity(30)
    .stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'));
  for (const [index, expression] of expressions.entries()) panel.withTarget(query(expression, index));
  return panel;
}

const timeSeries = ({ title, description, unit = 'short', width = 12 }: PanelText): TimeSeriesBuilder =>
  new TimeSeriesBuilder()
    .title(title)
    .description(description)
    .datasource(PROMETHEUS)
    .unit(unit)
    .min(0)
    .height(HEIGHT)
    .span(width)
    .legend(legend())
    .showPoints(VisibilityMode.Never);

/** The last value, large. */
export function stat(text: PanelText, ...expressions: readonly Expression[]): Builder<Panel> {
  const { title, description, unit = 'short', width = 6 } = text;
  const panel = new StatBuilder()
    .title(title)
    .description(description)
    .datasource(PROMETHEUS)
    .unit(unit)
    .height(HEIGHT / 2)
    .span(width);
  for (const [index, expression] of expressions.entries()) panel.withTarget(query(expression, index));
  return panel;
}

/** How a histogram's observations are spread, over time. */
export function heatmap(
  { title, description, unit = 's', width = 12 }: PanelText,
  expr: string,
): Builder<Panel> {
  return new HeatmapBuilder()
    .title(title)
    .description(description)
    .datasource(PROMETHEUS)
    .unit(unit)
    .height(HEIGHT)
    .span(width)
    .withTarget(query({ expr, legend: '{{le}}' }, 0).format(PromQueryFormat.Heatmap));
}

/** A query of the Postgres data source, which the SDK has no builder for: the fields are those that its editor writes. */
function sqlQuery(rawSql: string, format: 'table' | 'time_series'): Builder<Dataquery> {
  return {
    build: () =>
      ({
        refId: 'A',
        datasource: POSTGRES,
        rawSql: rawSql.trim(),
        format,
        rawQuery: true,
        editorMode: 'code',
        // The SDK's mark of a query; no JSON has it.
        _implementsDataqueryVariant: () => undefined,
      }) satisfies Dataquery & Record<string, unknown>,
  };
}

/** The rows of a statement as a table. */
export function sqlTable(
  { title, description, unit, width = 24 }: PanelText,
  rawSql: string,
): Builder<Panel> {
  const panel = new TableBuilder()
    .title(title)
    .description(description)
    .datasource(POSTGRES)
    .height(HEIGHT)
    .span(width)
    .filterable(true)
    .withTarget(sqlQuery(rawSql, 'table'));
  return unit === undefined ? panel : panel.unit(unit);
}

/** A statement with a column `time`, one named `metric` that names the series, and one with the value. */
export function sqlSeries(text: PanelText, style: 'Lines' | 'Points', rawSql: string): Builder<Panel> {
  const { title, description, unit = 'short', width = 24 } = text;
  return new TimeSeriesBuilder()
    .title(title)
    .description(description)
    .datasource(POSTGRES)
    .unit(unit)
    .height(HEIGHT)
    .span(width)
    .legend(legend())
    .drawStyle(style === 'Lines' ? GraphDrawStyle.Line : GraphDrawStyle.Points)
    .showPoints(VisibilityMode.Always)
    .withTarget(sqlQuery(rawSql, 'time_series'));
}

/** Adds a row of panels under a heading. */
export function withRow(dashboard: DashboardBuilder, title: string, panels: readonly Builder<Panel>[]): void {
  dashboard.withRow(new RowBuilder(title));
  for (const panel of panels) dashboard.withPanel(panel);
}

/** The dashboard with a number for each panel, which links to a panel go by: the same as long as no panel is put before it. */
export function numbered(dashboard: Dashboard): Dashboard {
  return {
    ...dashboard,
    panels: (dashboard.panels ?? []).map((panel, index) => ({ ...panel, id: index + 1 })),
  };
}
