// The form of the `azure` section of anycast.yaml: what only the deployment to Azure needs to know.
import { z } from 'zod';
import { parsePrefix } from './ip.ts';

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and dashes, 63 at most');
const prefix = z.string().refine((text) => parsePrefix(text) !== undefined, 'an IPv4 prefix with zero host bits');
const resourceId = (type: string) =>
  z
    .string()
    .regex(
      new RegExp(`^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/${type.replaceAll('.', '\\.')}/[^/]+$`, 'i'),
      `the resource id of a ${type}`,
    );

/** With a prefix the subnet is created, without one it must be there. */
const subnetSchema = z.strictObject({ name: z.string().min(1).max(80), prefix: prefix.optional() });

const hubSchema = z.union([
  z.strictObject({ addressSpace: z.array(prefix).min(1).max(16) }).describe('A new virtual network.'),
  z
    .strictObject({ resourceId: resourceId('Microsoft.Network/virtualNetworks') })
    .describe('A virtual network that is there; only the subnets named with a prefix are added to it.'),
]);

const regionSchema = z.strictObject({
  name: name.describe('One of regions[].name.'),
  hub: hubSchema,
  routeServer: z
    .enum(['create', 'existing'])
    .describe('create: made under the name and resource group of regions[].routeServer.resourceId.'),
  subnets: z.strictObject({
    nvas: subnetSchema.describe('The NVAs, and the front end of the load balancer.'),
    functions: subnetSchema.describe(
      'Outbound network of the seat, delegated to Microsoft.App/environments; /27 or larger.',
    ),
    endpoints: subnetSchema.describe('Private endpoints.'),
    gateway: prefix.optional().describe('Creates GatewaySubnet with this prefix.'),
  }),
  nvas: z.strictObject({
    size: z.string().min(1).describe('For example Standard_D2s_v5.'),
    zones: z
      .array(z.enum(['1', '2', '3']))
      .min(1)
      .max(3)
      .describe('NVAs are spread over these in turn.'),
    adminPublicKey: z
      .string()
      .regex(/^(ssh-ed25519|ssh-rsa) \S+/, 'an SSH public key')
      .describe('Key of the user azureuser; there is no password and no public address.'),
    outbound: z
      .enum(['nat-gateway', 'none'])
      .describe('nat-gateway: created, so that the NVA can install haproxy. none: your own way out, or none.'),
  }),
  loadBalancer: z
    .strictObject({
      address: z.string().min(7).describe('Front end, in the subnet of the NVAs.'),
      persistence: z.enum(['SourceIP', 'SourceIPProtocol']),
    })
    .optional()
    .describe('An internal load balancer over the NVAs, for several active ones with dnat-udr.'),
  expressRouteGateway: z
    .strictObject({ sku: z.enum(['ErGw1AZ', 'ErGw2AZ', 'ErGw3AZ', 'ErGwScale']) })
    .optional()
    .describe('Creates a gateway and connects regions[].circuit to it. Absent: the one you have.'),
  vpnGateway: z
    .strictObject({ sku: z.enum(['VpnGw1AZ', 'VpnGw2AZ', 'VpnGw3AZ', 'VpnGw4AZ', 'VpnGw5AZ']) })
    .optional()
    .describe('Creates a VPN gateway: active-active, ASN 65515, as Route Server asks. Absent: the one you have.'),
  spoke: z
    .strictObject({
      addressSpace: z.array(prefix).min(1).max(16),
      appSubnet: prefix,
      returnThroughNva: z.boolean().describe('Routes addressSpaces.onPremises back through the NVA: for dnat-udr.'),
    })
    .optional()
    .describe('Creates a spoke for the application, peered with the hub.'),
});

export const azureSchema = z.strictObject({
  location: name.optional().describe('Workspace, alerts and automation; the witness region when absent.'),
  tags: z.record(z.string(), z.string()).default({}),
  regions: z.array(regionSchema).min(1).max(16),
  peerHubs: z.boolean().default(true).describe('Peer the hubs with each other: seats reach the agents of all regions.'),
  access: z
    .strictObject({
      addresses: z
        .array(z.string().regex(/^\d{1,3}(\.\d{1,3}){3}(\/\d{1,2})?$/, 'an IPv4 address or range'))
        .max(50)
        .default([]),
    })
    .prefault({})
    .describe('Public addresses that may reach the seats and upload packages. Empty: from inside the networks only.'),
  durableTaskScheduler: z.boolean().default(false).describe('Task hub in Durable Task Scheduler instead of storage.'),
  alerts: z
    .strictObject({
      emails: z.array(z.email()).max(20).default([]),
      enabled: z.boolean().default(true),
    })
    .prefault({}),
  automation: z.boolean().default(true).describe('An Automation account with the runbooks.'),
});

export type AzureSection = z.infer<typeof azureSchema>;
export type AzureRegion = AzureSection['regions'][number];
