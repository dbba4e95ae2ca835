/** The plugins of JupyterLab: the panel with its commands, and what is optional around them. */

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILabShell, ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Token } from '@lumino/coreutils';
import css from '../../style/lab/index.css';
import { h } from '../dom';
import { addCommands } from './commands';
import { addExample } from './example';
import { CellForm } from './cells/cell-form';
import { GraphWidget } from './graph';
import { pipelineIcon } from './icon';
import { ids } from './ids';
import { MainArea } from './main-area';
import { SidePanel } from './side/panel';
import { showLog } from './runs/log';
import { notify } from './runs/run-actions';
import { RunsTable, RUNS_ID } from './runs/runs-table';
import { ExecutedNotebooks } from './runs/executed-notebooks';
import { Session, type Open } from './session';
import { StatusItem } from './status-item';

const ID = 'kfnb:panel';

interface Pipelines {
  readonly session: Session;
  readonly panel: SidePanel;
}

/** What the plugins around the panel need of it. */
const IPipelines = new Token<Pipelines>('kfnb:IPipelines');

const panel: JupyterFrontEndPlugin<Pipelines> = {
  id: ID,
  description: 'A side panel that shows a notebook as a pipeline.',
  autoStart: true,
  provides: IPipelines,
  requires: [INotebookTracker],
  optional: [
    ITranslator,
    ILayoutRestorer,
    ISettingRegistry,
    ICommandPalette,
    ILabShell
  ],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    settings: ISettingRegistry | null,
    palette: ICommandPalette | null,
    labShell: ILabShell | null
  ): Pipelines => {
    const trans = (translator ?? nullTranslator).load('kfnb');
    const { commands, shell } = app;
    document.head.append(h('style', { 'data-kfnb-lab': '' }, css));
    const session = new Session(tracker, trans);
    const side = new SidePanel(session, commands);
    shell.add(side, 'left', { rank: 850, type: 'Pipeline' });
    restorer?.add(side, side.id);

    const added = addCommands(commands, session);
    const more = (id: string, label: string, execute: () => unknown): void => {
      added.push([id, label]);
      commands.addCommand(id, {
        label,
        icon: pipelineIcon,
        describedBy: { args: { type: 'object', properties: {} } },
        execute
      });
    };
    more(ids.open, trans.__('Show the Pipeline'), () =>
      shell.activateById(side.id)
    );
    more(ids.focus, trans.__('Go to the Pipeline and Back'), () => {
      if (side.node.contains(document.activeElement)) {
        session.current?.host.panel.content.activate();
        return;
      }
      shell.activateById(side.id);
      const list = side.node.querySelector<HTMLElement>('[role=listbox]');
      (list ?? side.node).focus();
    });
    const areas = new MainArea(shell, labShell !== null);
    more(ids.graph, trans.__('Show the Graph of the Pipeline'), () => {
      const { current } = session;
      return current
        ? areas.show(
            `kfnb-graph-${current.host.panel.id}`,
            () => new GraphWidget(session, current),
            'split-right'
          )
        : undefined;
    });
    more(ids.runs, trans.__('Show the Runs of the Notebook'), () => {
      const { current } = session;
      return current
        ? areas.show(
            `${RUNS_ID}-${current.host.panel.id}`,
            () => new RunsTable(session, current),
            'split-bottom'
          )
        : undefined;
    });
    more(ids.log, trans.__('Show the Log of the Failed Step'), () => {
      const run = session.current?.book.run?.id;
      const failed = Object.values(
        session.current?.book.state?.steps ?? {}
      ).find(step => step.status === 'failed');
      return run && failed
        ? showLog(areas, session, run, failed.step)
        : undefined;
    });
    commands.addCommand(ids.openRun, {
      label: trans.__('Open the Notebook of a Run'),
      describedBy: { args: RUN_ARGUMENTS },
      execute: async ({ run, notebook }) => {
        if (typeof run !== 'string' || typeof notebook !== 'string') {
          return;
        }
        session.followWhenOpened(notebook, run);
        await commands.execute('docmanager:open', { path: notebook });
      }
    });
    addExample(app, trans);
    for (const command of [...added.map(([id]) => id), ids.example]) {
      palette?.addItem({ command, category: trans.__('Pipeline') });
    }
    app.serviceManager.contents.addDrive(new ExecutedNotebooks());
    const openForm = (
      open: Open,
      anchor: Element,
      scope: readonly string[],
      isNew = false
    ): void =>
      new CellForm(session, commands, open, scope, isNew).openAt(anchor);
    more(ids.options, trans.__('Name, Role and Options of This Cell…'), () => {
      const { current } = session;
      const cell = current?.host.panel.content.activeCell;
      if (current && cell) {
        const { steps } = current.book.outline;
        const { id } = cell.model;
        const step = steps.find(one => one.cells[0] === id);
        openForm(current, cell.node, step?.cells ?? current.host.selected());
      }
    });
    session.onOpened = open => {
      const { chips, addStep } = open;
      const commandOf = { run: ids.run, debug: ids.debug, log: ids.log };
      chips.onFailure = act => void commands.execute(commandOf[act]);
      chips.onChip = (chip, scope) => openForm(open, chip, scope);
      addStep.onAdd = (button, cells) => openForm(open, button, cells, true);
    };
    session.ended.connect((_, open) =>
      notify(session, open, () => void commands.execute(ids.log))
    );
    if (settings) {
      void settings.load(ID).then(own => {
        const read = (): void => {
          const values = own.composite as Partial<Session['preferences']>;
          Object.assign(session.preferences, values);
          session.emit();
        };
        own.changed.connect(read);
        read();
        if (own.composite['openAtStart']) {
          void app.restored.then(() => commands.execute(ids.open));
        }
      });
    }
    return { session, panel: side };
  }
};

const launcher: JupyterFrontEndPlugin<void> = {
  id: 'kfnb:launcher',
  description: 'A card of the launcher that opens the guided example.',
  autoStart: true,
  requires: [IPipelines, ILauncher],
  activate: (_app, _pipelines: Pipelines, launcherCards: ILauncher) => {
    launcherCards.add({ command: ids.example, category: 'Other', rank: 20 });
  }
};

const statusBar: JupyterFrontEndPlugin<void> = {
  id: 'kfnb:status-bar',
  description: 'Counts of runs in the status bar.',
  autoStart: true,
  requires: [IPipelines, IStatusBar],
  activate: (app, { session }: Pipelines, bar: IStatusBar) => {
    const item = new StatusItem(session, () => {
      void app.commands.execute(ids.open);
    });
    bar.registerStatusItem('kfnb:runs', {
      item,
      align: 'left',
      rank: 20,
      isActive: () => item.counts !== '',
      activeStateChanged: item.activeChanged
    });
  }
};

const RUN_ARGUMENTS = {
  type: 'object',
  properties: {
    run: { type: 'string', description: 'The id of a run.' },
    notebook: { type: 'string', description: 'The path of its notebook.' }
  }
} as const;

export default [panel, launcher, statusBar] as JupyterFrontEndPlugin<unknown>[];
