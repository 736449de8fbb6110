// The parts of anycast.yaml that the templates read. shared/topology-schema.ts is the whole of it, with every check.
metadata description = 'Types of anycast.yaml as the templates read it.'

@export()
type nvaType = {
  @description('Required. Name of the NVA, also of its virtual machine.')
  name: string
  @description('Required. Its 16-bit ASN.')
  asn: int
  @description('Required. Its private address. Example: 10.1.1.4.')
  address: string
  @description('Required. Origin of its agent. Example: https://10.1.1.4:8443.')
  agent: string
  @description('Required. Name of its BGP connection on Route Server.')
  bgpConnection: string
}

@export()
type regionType = {
  @description('Required. Azure region.')
  name: string
  @description('Required. Route Server of the region.')
  routeServer: {
    @description('Required. Its resource id, also when it is to be created.')
    resourceId: string
    @description('Required. Addresses of its two instances.')
    peers: string[]
    @description('Conditional. Prefix of RouteServerSubnet. Required when Route Server is created.')
    subnet: string?
  }
  @description('Optional. The ExpressRoute circuit of the region.')
  circuit: {
    resourceId: string
    peering: string?
  }?
  @description('Required. NVAs of the region.')
  nvas: nvaType[]
}

@export()
type seatType = {
  @description('Required. Name of the seat.')
  name: string
  @description('Required. Azure region it stands in.')
  region: string
  @description('Required. Its address; the first label is the name of the function app.')
  url: string
  @description('Required. Audience of its tokens, api://CLIENT-ID.')
  audience: string
}

@export()
type subnetType = {
  @description('Required. Name of the subnet.')
  name: string
  @description('Optional. With a prefix the subnet is created, without one it must exist.')
  prefix: string?
}

@export()
type azureRegionType = {
  @description('Required. Azure region.')
  name: string
  @description('Required. Either addressSpace of a new virtual network, or resourceId of an existing one.')
  hub: {
    addressSpace: string[]?
    resourceId: string?
  }
  @description('Required. Whether Route Server is created.')
  routeServer: 'create' | 'existing'
  @description('Required. Subnets that the deployment uses.')
  subnets: {
    nvas: subnetType
    functions: subnetType
    endpoints: subnetType
    gateway: string?
  }
  @description('Required. Machines of the NVAs.')
  nvas: {
    size: string
    zones: ('1' | '2' | '3')[]
    adminPublicKey: string
    outbound: 'nat-gateway' | 'none'
  }
  @description('Optional. Internal load balancer over the NVAs.')
  loadBalancer: {
    address: string
    persistence: 'SourceIP' | 'SourceIPProtocol'
  }?
  @description('Optional. ExpressRoute gateway to create.')
  expressRouteGateway: {
    sku: 'ErGw1AZ' | 'ErGw2AZ' | 'ErGw3AZ' | 'ErGwScale'
  }?
  @description('Optional. VPN gateway to create, active-active with ASN 65515.')
  vpnGateway: {
    sku: 'VpnGw1AZ' | 'VpnGw2AZ' | 'VpnGw3AZ' | 'VpnGw4AZ' | 'VpnGw5AZ'
  }?
  @description('Optional. Spoke to create for the application.')
  spoke: {
    addressSpace: string[]
    appSubnet: string
    returnThroughNva: bool
  }?
}

@export()
type topologyType = {
  @description('Required. Name of the deployment.')
  name: string
  @description('Required. Address spaces on both sides.')
  addressSpaces: {
    azure: string[]
    onPremises: string[]?
  }
  @description('Required. Regions.')
  regions: regionType[]
  @description('Required. Vips; only their number matters here.')
  vips: object[]
  @description('Required. Seats of the control plane.')
  seats: seatType[]
  @description('Required. Where the ledger stands.')
  witness: {
    region: string
    account: string
  }
  @description('Optional. Observers on-premises.')
  observers: object[]?
  @description('Required. What only the deployment reads.')
  azure: {
    location: string?
    tags: object?
    regions: azureRegionType[]
    peerHubs: bool?
    access: {
      addresses: string[]?
    }?
    durableTaskScheduler: bool?
    alerts: {
      emails: string[]?
      enabled: bool?
    }?
    automation: bool?
  }
}
