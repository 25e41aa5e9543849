import type { ControllerEvent } from '../controller/controller-event.ts';
import type { Judgement } from '../core/outcome.ts';
import type { EventRecorder, RunEvent } from '../engine/kubernetes/events.ts';
import type { Logger } from '../telemetry/logger.ts';

/**
 * Announces the few moments of a run that its user wants to see in `kubectl describe`: it started, a first trial failed, it ended. Not
 * one event per trial: that would bury everything else in the namespace.
 */
export function announce(recorder: EventRecorder, logger: Logger): (event: ControllerEvent) => void {
  return (event) => {
    const announcement = announcementOf(event);
    const { uid, name, namespace } = event.run;
    if (announcement === undefined || namespace === undefined) return;
    recorder
      .record({ uid, name, namespace }, announcement)
      .catch((error: unknown) => logger.warn({ run: uid, err: error }, 'an event was not recorded'));
  };
}

function announcementOf(event: ControllerEvent): RunEvent | undefined {
  switch (event.kind) {
    case 'RunOpened': {
      if (!event.isNew) return undefined;
      const { variants, trials } = event.run;
      return {
        reason: 'Started',
        type: 'Normal',
        action: 'StartTrials',
        note: `${variants.length} variants, ${trials.length} trials`,
      };
    }
    case 'AttemptRecorded': {
      const { record, run, counts } = event;
      if (record.trialAfter.phase !== 'Failed' || counts.failed !== 1) return undefined;
      const variant = run.trials[record.trial]?.variant.name;
      return {
        reason: 'FirstTrialFailed',
        type: 'Warning',
        action: 'RecordResult',
        note: `${variant}: ${howItFailed(record.judgement)}`,
      };
    }
    case 'AttemptStarted':
    case 'InvariantViolated':
      // Too many to be events; or told by the log and a metric, since a user of the namespace can do nothing about it.
      return undefined;
    case 'FieldsIgnored':
      return {
        reason: 'FieldsIgnored',
        type: 'Warning',
        action: 'ReadSpec',
        note: `not known to this version of the operator, and ignored: ${event.fields}`,
      };
    case 'RunAbandoned':
      return {
        reason: 'ResultsAbandoned',
        type: 'Warning',
        action: 'LetGo',
        note: 'the BatchTest was deleted and the result store did not come back in time: what was not stored is lost',
      };
    case 'RunEnded':
      return {
        reason: event.end.state,
        type: event.end.state === 'Complete' ? 'Normal' : 'Warning',
        action: 'EndRun',
        note: event.end.message,
      };
  }
}

/** Without the program's own words, which may hold a secret: events are sent on to places where pods are not. */
function howItFailed({ outcome, reason, message, exitCode }: Judgement): string {
  switch (outcome) {
    case 'TestFailed':
      return `${outcome}: ${reason}, exit code ${exitCode}; batchtest report tells what the program said`;
    case 'ResultInvalid':
      return `${outcome}: ${reason}; batchtest report tells why`;
    default:
      return `${outcome}: ${message}`;
  }
}
