/** The layers of docs/architecture.md. Each rule says why it is there. */
const outside = (folders) => `^src/(?!(${folders})(/|\\.ts$|$))`;
/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'A cycle has no layer to belong to, and cannot be understood in parts.',
      severity: 'error',
      from: { path: '^src' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'api-stands-alone',
      comment: 'The API is what users write; nothing of how it is carried out belongs in it.',
      severity: 'error',
      from: { path: '^src/api/' },
      to: { path: outside('api') },
    },
    {
      name: 'core-is-pure',
      comment:
        'Decisions are functions of state and time. Engines, stores and the loop depend on them, never the other way.',
      severity: 'error',
      from: { path: '^src/(core|comparison)/' },
      to: { path: outside('api|core|comparison') },
    },
    {
      name: 'core-does-no-io',
      comment:
        'No files, network, processes or timers in decisions: they must give the same plan wherever they run.',
      severity: 'error',
      from: { path: '^src/(core|comparison)/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?crypto$' },
    },
    {
      name: 'controller-knows-contracts-only',
      comment: 'The loop is the same for every engine and store, so it may not name one.',
      severity: 'error',
      from: { path: '^src/controller/', pathNot: '\\.test\\.ts$' },
      to: {
        path: '^src/',
        pathNot:
          '^src/(api|core|comparison|controller|telemetry)/|^src/engine/(engine|run-source)\\.ts$|^src/results/(result-store|verification)\\.ts$',
      },
    },
    {
      name: 'engines-do-not-know-each-other',
      comment: 'Either engine can be left out; what both need is in src/engine itself.',
      severity: 'error',
      from: { path: '^src/engine/(kubernetes|local)/' },
      to: { path: '^src/engine/(kubernetes|local)/', pathNot: '^src/engine/$1/' },
    },
    {
      name: 'engines-do-not-know-stores',
      comment:
        'An engine runs programs and tells how they ended; what becomes of results is not its business.',
      severity: 'error',
      from: { path: '^src/engine/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(controller|results|ingest|outbox|notifications|report|cli|operator|runner)/' },
    },
    {
      name: 'stores-do-not-know-engines',
      comment: 'A store keeps what it is given, whatever ran it.',
      severity: 'error',
      from: { path: '^src/results/', pathNot: '\\.test\\.ts$' },
      to: {
        path: '^src/(engine|controller|ingest|artifacts|outbox|notifications|report|cli|operator|runner)/',
      },
    },
    {
      name: 'ingest-knows-contracts-only',
      comment: 'Pushed results are taken in the same way from every engine, and kept by whatever store.',
      severity: 'error',
      from: { path: '^src/ingest/', pathNot: '\\.test\\.ts$' },
      to: {
        path: '^src/',
        pathNot: '^src/(api|core|http|ingest|telemetry)/|^src/(results/result-store|turns)\\.ts$',
      },
    },
    {
      name: 'artifacts-and-notifications-stand-alone',
      comment:
        'What reads a file back, and what tells of a run, needs what is stored and its own configuration, not who calls it.',
      severity: 'error',
      from: { path: '^src/(artifacts|notifications)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(engine|controller|outbox|report|cli|operator|runner)/|^src/results/postgres/' },
    },
    {
      name: 'outbox-knows-contracts-only',
      comment: 'Messages are handled alike whatever ran the trials and wherever they are stored.',
      severity: 'error',
      from: { path: '^src/outbox/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(engine|controller|report|cli|operator|runner)/|^src/results/postgres/' },
    },
    {
      name: 'reports-read-stored-runs',
      comment: 'A report is made from what is stored, so that it is the same with and without a cluster.',
      severity: 'error',
      from: { path: '^src/report/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(engine|controller|cli|operator|runner|parity)/|^src/results/postgres/' },
    },
    {
      name: 'parity-asks-pure-functions',
      comment:
        'What an engine would do is told by the functions that the engine itself uses, and nothing is run to find it out.',
      severity: 'error',
      from: { path: '^src/parity/', pathNot: '\\.test\\.ts$' },
      to: {
        path: '^src/',
        pathNot:
          '^src/(api|core|comparison|report|parity)/|^src/results/result-store\\.ts$|^src/engine/(engine|program-environment|further-variables)\\.ts$|^src/engine/kubernetes/(attempt-pod|attempt-carrier)\\.ts$|^src/engine/local/(local-program|unsupported-locally)\\.ts$',
      },
    },
    {
      name: 'nobody-imports-the-entry-points',
      comment:
        'cli and operator wire the rest together; a need for something in them means that it lies in the wrong place.',
      severity: 'error',
      from: { path: '^src/(?!cli/|operator/|index\\.ts)' },
      to: { path: '^src/(cli|operator)/' },
    },
    {
      name: 'prometheus-behind-telemetry',
      comment:
        'What happens is told by events and callbacks; how it is counted, and by which library, is decided in one place.',
      severity: 'error',
      from: { path: '^src/(?!telemetry/)' },
      to: { path: 'node_modules/prom-client' },
    },
    {
      name: 'no-development-dependencies',
      comment: 'What is shipped may use only what is installed with it.',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.(test|testsuite)\\.ts$' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  },
};
