/** The plugins of JupyterLab: the panel with its commands, and what is optional around them. */

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
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
import { cellMenu } from './cell-menu';
import { GraphWidget } from './graph';
import { pipelineIcon } from './icon';
import { ids } from './ids';
import { SidePanel } from './panel';
import { notify, start } from './runs';
import { Session } from './session';
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
  optional: [ITranslator, ILayoutRestorer, ISettingRegistry, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    settings: ISettingRegistry | null,
    palette: ICommandPalette | null
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
    more(ids.graph, trans.__('Show the Graph of the Pipeline'), () => {
      const { current } = session;
      if (!current) {
        return;
      }
      const id = `kfnb-graph-${current.host.panel.id}`;
      const shown = [...shell.widgets('main')].find(one => one.id === id);
      if (!shown) {
        shell.add(new GraphWidget(session, current), 'main', {
          mode: 'split-right'
        });
      }
      shell.activateById(id);
    });
    more(ids.log, trans.__('Show the Log of the Failed Step'), () => {
      const run = session.current?.book.run?.id;
      const failed = Object.values(
        session.current?.book.state?.steps ?? {}
      ).find(step => step.status === 'failed');
      return run && failed
        ? import('./log').then(({ showLog }) =>
            showLog(shell, session, run, failed.step)
          )
        : undefined;
    });
    addExample(app, trans);
    for (const command of [...added.map(([id]) => id), ids.example]) {
      palette?.addItem({ command, category: trans.__('Pipeline') });
    }
    const menu = cellMenu(commands, trans.__('Cell'));
    const openMenu = (anchor: Element | null | undefined): void => {
      const box = anchor?.getBoundingClientRect();
      if (box) {
        menu.open(box.left, box.bottom);
      }
    };
    more(ids.options, trans.__('Name, Role and Run of This Cell…'), () => {
      const { active, panel: book } = session.current?.host ?? {};
      if (active) {
        openMenu(book?.content.activeCell?.node);
      }
    });
    session.onOpened = ({ chips, ...open }) => {
      chips.onAgain = () => void start(session, { chips, ...open });
      chips.onChip = chip => openMenu(chip);
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

export default [panel, launcher, statusBar] as JupyterFrontEndPlugin<unknown>[];
