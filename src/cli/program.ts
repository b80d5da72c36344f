/**
 * The command line: which commands there are, and their options. Each is loaded when it is called: the whole house takes a
 * second to come up, and `--help` needs none of it.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { TRIGGERS, type Trigger } from '../domain/project.ts';
import { type ExitCode, version } from './process.ts';

const port = (text: string): number => {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw new InvalidArgumentError('expected 0 to 65535');
  return Number(text);
};
const count = (text: string): number => {
  if (!/^[1-9]\d{0,2}$/.test(text)) throw new InvalidArgumentError('expected 1 to 999');
  return Number(text);
};
const factor = (text: string): number => {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('expected a number above 0');
  return value;
};

const commaList = (text: string): readonly string[] => text.split(',').map((part) => part.trim().toLowerCase());

const configOption = (): Option => new Option('--config <file>', 'the configuration file (default: agentsmith.yml)');

/** @param end told the exit code of the command that was called, when it is over. */
export function createProgram(end: (exitCode: ExitCode) => void): Command {
  const here = { env: process.env, cwd: process.cwd() };
  const program = new Command('agent-smith')
    .description('A label on a ticket becomes exactly one pipeline run.')
    .version(version())
    .exitOverride()
    .showHelpAfterError('(agent-smith --help lists the commands)');

  program
    .command('server')
    .description('run one replica; start as many as you like on one Redis')
    .addOption(configOption())
    .option('--port <port>', 'port of /health, /health/ready and /metrics (default: PORT, else 8081)', port)
    .option('--host <host>', 'address to listen on', '::')
    .option('--dry-run', 'poll and log what would be claimed, write nothing anywhere; never ready')
    .addOption(
      new Option('--time-scale <factor>', 'shrink every duration; for tests').argParser(factor).default(1).hideHelp(),
    )
    .addOption(new Option('--no-adopt', 'leave labels without a record alone').hideHelp())
    .action(
      async (options: {
        config?: string;
        port?: number;
        host: string;
        timeScale: number;
        adopt: boolean;
        dryRun?: true;
      }) => {
        const { config: file, port, host, timeScale, adopt: adoptOrphans, dryRun = false } = options;
        const { serve } = await import('./serve.ts');
        end(await serve({ ...here, file, port, host, timeScale, adoptOrphans, dryRun, freshRedis: false }));
      },
    );

  program
    .command('dev')
    .description('server with its own Redis and your configuration, for a first try on your machine')
    .addOption(configOption())
    .option('--port <port>', 'port of /health (default: PORT, else 8081)', port)
    .action(async ({ config: file, port }: { config?: string; port?: number }) => {
      const { dev } = await import('./dev.ts');
      end(await dev({ ...here, file, port }));
    });

  program
    .command('demo')
    .description('watch sample tickets of four emulated platforms being worked off by two replicas')
    .option('--once', 'end when all sample tickets have ended; exit 0 only if none was lost or run twice')
    .option('--tickets <n>', 'how many tickets there are at the start', count)
    .action(async ({ once, tickets }: { once?: true; tickets?: number }) => {
      const { demo } = await import('./demo/demo.ts');
      end(await demo({ ...here, once: once === true, tickets }));
    });

  program
    .command('validate')
    .description('check the configuration and show what it means')
    .addOption(configOption())
    .option('--json', 'machine-readable output')
    .action(async ({ config: file, json }: { config?: string; json?: true }) => {
      const { validate } = await import('./validate.ts');
      const report = await validate({ ...here, file });
      console.log(json === true ? JSON.stringify(report.json, null, 2) : report.lines.join('\n'));
      end(report.exitCode);
    });

  program
    .command('doctor')
    .description(
      'ask Redis and every platform whether all is there that a server needs; says what to do where it is not',
    )
    .addOption(configOption())
    .option('--json', 'machine-readable output')
    .option('--write-test <ticket>', 'also put a label on this ticket and take it away again; needs --project')
    .option('--project <name>', 'the project of that ticket')
    .action(
      async ({
        config: file,
        json,
        writeTest: ticket,
        project,
      }: {
        config?: string;
        json?: true;
        writeTest?: string;
        project?: string;
      }) => {
        const { doctor } = await import('./doctor.ts');
        end(await doctor({ ...here, file, json: json === true, ticket, project }));
      },
    );

  program
    .command('claim')
    .description('claim one ticket now, by hand')
    .argument('<project>', 'name of the project in the configuration')
    .argument('<ticket>', 'its number, key or URL')
    .addOption(configOption())
    .option('--json', 'machine-readable output')
    .action(async (project: string, ticket: string, { config: file, json }: { config?: string; json?: true }) => {
      const { claim } = await import('./claim.ts');
      end(await claim({ ...here, file, project, ticket, json: json === true }));
    });

  program
    .command('explain')
    .description('say why a ticket is claimed or not: every gate of a claim, in order; writes nothing')
    .argument('<project>', 'name of the project in the configuration, or the URL of a ticket alone')
    .argument('[ticket]', 'its number, key or URL')
    .addOption(configOption())
    .addOption(
      new Option('--trigger <way>', 'ask as for a claim by this way (default: how it would come by itself)').choices(
        TRIGGERS,
      ),
    )
    .option('--json', 'machine-readable output')
    .action(
      async (
        project: string,
        ticket: string | undefined,
        { config: file, trigger, json }: { config?: string; trigger?: Trigger; json?: true },
      ) => {
        const asked = ticket === undefined ? ([project] as const) : ([project, ticket] as const);
        const { explain } = await import('./explain.ts');
        end(await explain({ ...here, file, asked, trigger, json: json === true }));
      },
    );

  program
    .command('plan')
    .description('one cycle of all polled projects without a write: what would be claimed, and what polling costs')
    .addOption(configOption())
    .option('--project <name>', 'only this project')
    .option('--json', 'machine-readable output')
    .action(async ({ config: file, project, json }: { config?: string; project?: string; json?: true }) => {
      const { plan } = await import('./plan.ts');
      end(await plan({ ...here, file, project, json: json === true }));
    });

  program
    .command('emulate')
    .description('serve emulated trackers, to test an integration of your own against them')
    .addOption(
      new Option('--platform <list>', 'only these, by their slugs with commas between (default: all)').argParser(
        commaList,
      ),
    )
    .addOption(new Option('--port <base>', 'the first of ten ports').argParser(port).default(8180))
    .option('--config-out <file>', 'write a configuration for them, which must not be there yet')
    .option('--json', 'machine-readable output, one line')
    .action(async (options: { platform?: readonly string[]; port: number; configOut?: string; json?: true }) => {
      const { platform: platforms, port, configOut, json } = options;
      const { emulate } = await import('./emulate.ts');
      end(await emulate({ ...here, platforms, port, configOut, json: json === true }));
    });
  return program;
}
